import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { randomStream } from "../../base/random.js";
import { floatTensor, intTensor, type Tensor, toFloat32 } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { Model, type Value } from "../../graph/ir.js";
import { parseText } from "../../graph/parse.js";
import { nodeEngine } from "../../run/node.js";
import { computeGradients, type GradientOptions } from "../compute-gradients.js";
import { sgd } from "../optimizers.js";
import { prepareModel } from "../prepare.js";
import { compileProgram } from "../program.js";
import { binaryCrossEntropy } from "./binary-cross-entropy.js";
import { cosine } from "./cosine.js";
import { type CrossEntropyOptions, crossEntropy } from "./cross-entropy.js";
import { ctc } from "./ctc.js";
import { distillation } from "./distillation.js";
import { attentionDistance, featureDistance } from "./features.js";
import { lossOfModel } from "./graph-loss.js";
import { huber } from "./huber.js";
import { imitation } from "./imitation.js";
import type { Loss } from "./loss.js";
import { meanSquare } from "./mean-square.js";
import { mixture } from "./mixture.js";

const random = randomStream(11, "losses");
const draw = (size: number, scale = 1) => Float32Array.from({ length: size }, () => scale * random.normal());

/** A model whose output is its parameter `w`, with what `end` puts behind it. */
function modelOf(w: Tensor, end: (b: Builder, value: Value) => Value = (_, value) => value): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const { dims } = w;
  const input = b.input("x", "float", dims);
  const sum = b.emit("Add", [input, b.constant(w, "w")]);
  b.output(end(b, sum), "y", { dtype: "float", dims: dims.map(() => null) });
  return model;
}

async function lossAt(
  loss: Loss,
  w: Tensor,
  targets: GradientOptions["targets"],
  end?: (b: Builder, value: Value) => Value,
): Promise<{ loss: number; gradient: Float32Array }> {
  const inputs = { x: floatTensor(w.dims, new Float32Array(w.size)) };
  const options = { engine: nodeEngine, threads: 1, inputs, loss, targets, parameters: ["w"] };
  const found = await computeGradients(modelOf(w, end), options);
  return { loss: found.loss, gradient: toFloat32(found.gradients.w) };
}

/** Of a function of many numbers, in double precision. */
function slopes(f: (values: Float64Array) => number, at: ArrayLike<number>): number[] {
  return Array.from(at, (_, i) => {
    const moved = (by: number) => Float64Array.from(at, (value, j) => (i === j ? value + by : value));
    return (f(moved(1e-5)) - f(moved(-1e-5))) / 2e-5;
  });
}

function expectClose(got: ArrayLike<number>, wanted: ArrayLike<number>, tolerance = 2e-5): void {
  expect(got.length).toBe(wanted.length);
  const largest = Math.max(...Array.from(wanted, Math.abs));
  for (let i = 0; i < got.length; i++) expect(Math.abs(got[i] - wanted[i])).toBeLessThan(tolerance * (largest + 1e-3));
}

interface Listed {
  dims: number[];
  values: number[];
}

type FixtureOptions = CrossEntropyOptions & { positiveWeight?: number; delta?: number; blank?: number };

const fixtures: {
  loss: string;
  options: FixtureOptions;
  output: Listed;
  targets: Record<string, Listed>;
  value: number;
  gradient: Listed;
}[] = JSON.parse(readFileSync("test/fixtures/losses.json", "utf8"));

const byName: Record<string, (options: FixtureOptions) => Loss> = {
  "cross-entropy": crossEntropy,
  "binary-cross-entropy": binaryCrossEntropy,
  huber,
  ctc,
  "mean-square": () => meanSquare,
  cosine: () => cosine,
};

describe("losses and their gradients, as PyTorch computes them", () => {
  it.each(fixtures.map((fixture, i) => ({ ...fixture, i })))("$loss $options (case $i)", async (fixture) => {
    const tensors = Object.entries(fixture.targets).map(([name, { dims, values }]) => {
      const whole = values.every(Number.isInteger) && name === "class";
      return [name, whole ? intTensor(values, dims) : floatTensor(dims, values)];
    });
    const w = floatTensor(fixture.output.dims, fixture.output.values);
    const { loss, gradient } = await lossAt(byName[fixture.loss](fixture.options), w, Object.fromEntries(tensors));
    expect(Math.abs(loss - fixture.value)).toBeLessThan(1e-5 * Math.max(1, fixture.value));
    expectClose(gradient, fixture.gradient.values);
  });
});

/** Softmax of one row in double precision. */
function softmax(row: ArrayLike<number>): number[] {
  const max = Math.max(...Array.from(row));
  const exponentials = Array.from(row, (value) => Math.exp(value - max));
  const sum = exponentials.reduce((a, b) => a + b);
  return exponentials.map((value) => value / sum);
}

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
const mean = (values: ArrayLike<number>) => sum(Array.from(values)) / values.length;
const rowsOf = (flat: ArrayLike<number>, width: number) =>
  Array.from({ length: flat.length / width }, (_, i) => Array.from(flat).slice(i * width, (i + 1) * width));

describe("cross-entropy", () => {
  it("of scores whose probabilities round to 0", async () => {
    const logits = draw(35, 200);
    const labels = [0, 6, 3, 3, 1];
    const shifted = rowsOf(logits, 7).map((row, i) => Math.max(...row) - row[labels[i]]);
    const { loss } = await lossAt(crossEntropy(), floatTensor([5, 7], logits), { class: intTensor(labels) });
    expect(loss).toBeCloseTo(mean(shifted), 2);
  });

  it("is 0 where every label is ignored, and so is its gradient", async () => {
    const loss = crossEntropy({ ignoreIndex: 9 });
    const found = await lossAt(loss, floatTensor([2, 3], draw(6)), { class: intTensor([9, 9]) });
    expect(found.loss).toBe(0);
    expect(found.gradient.every((value) => value === 0)).toBe(true);
  });

  it("says which shapes do not fit, and counts class weights", async () => {
    const w = floatTensor([4, 3], draw(12));
    await expect(lossAt(crossEntropy(), w, { class: intTensor([0, 1]) })).rejects.toThrow(
      "cross-entropy: expected a row of class scores for each label, got scores [4,3] for labels [2]",
    );
    const loss = crossEntropy({ classWeights: [1, 2] });
    await expect(lossAt(loss, w, { class: intTensor([0, 1, 2, 0]) })).rejects.toThrow("2 class weights for 3 classes");
  });
});

describe("binary cross-entropy", () => {
  it("is taken before a final Sigmoid, where probabilities have rounded to 0 and 1", async () => {
    const w = floatTensor([1, 2], [-120, 130]);
    const targets = { value: floatTensor([1, 2], [1, 0]) };
    const end = (b: Builder, value: Value) => b.emit("Sigmoid", [value]);
    expect((await lossAt(binaryCrossEntropy(), w, targets, end)).loss).toBeCloseTo(125, 4);
  });
});

describe("ctc", () => {
  /** The sum over all paths that say the labels, one by one. */
  function byEnumeration(logits: ArrayLike<number>, steps: number, classes: number, labels: readonly number[]): number {
    const shares = rowsOf(logits, classes).map(softmax);
    let total = 0;
    for (let path = 0; path < classes ** steps; path++) {
      const said = Array.from({ length: steps }, (_, t) => Math.floor(path / classes ** t) % classes);
      const heard = said.filter((label, t) => label !== 0 && label !== said[t - 1]);
      if (String(heard) === String(labels)) total += said.reduce((p, label, t) => p * shares[t][label], 1);
    }
    return -Math.log(total) / labels.length;
  }

  it("is the sum over all paths", async () => {
    const [steps, classes] = [5, 3];
    const logits = draw(steps * classes, 1.5);
    for (const labels of [[1, 2], [1, 1], [2]]) {
      const f = (values: ArrayLike<number>) => byEnumeration(values, steps, classes, labels);
      const targets = { class: intTensor([...labels, 0].slice(0, 2), [1, 2]) };
      const { loss, gradient } = await lossAt(ctc(), floatTensor([1, steps, classes], logits), targets);
      expect(loss).toBeCloseTo(f(logits), 4);
      expectClose(gradient, slopes(f, logits), 1e-4);
    }
  });

  it("refuses shapes of other losses and a blank that is no class", async () => {
    const w = floatTensor([2, 3], draw(6));
    await expect(lossAt(ctc(), w, { class: intTensor([0, 1]) })).rejects.toThrow(
      "ctc: expected scores [N, T, C] for labels [N, L], got [2,3] for [2]",
    );
    const sequence = { class: intTensor([1], [1, 1]) };
    await expect(lossAt(ctc({ blank: 3 }), floatTensor([1, 2, 3], draw(6)), sequence)).rejects.toThrow(
      "the blank 3 is none of 3 classes",
    );
  });
});

describe("losses that follow a teacher", () => {
  it.each([1, 4])("distillation at temperature %d", async (temperature) => {
    const [logits, teacher] = [draw(35, 2), draw(35, 3)];
    const wanted = rowsOf(teacher, 7).map((row) => softmax(row.map((value) => value / temperature)));
    const f = (values: ArrayLike<number>) =>
      temperature ** 2 *
      mean(
        rowsOf(values, 7).map((row, i) => {
          const got = softmax(row.map((value) => value / temperature));
          return -sum(wanted[i].map((p, c) => p * Math.log(got[c])));
        }),
      );
    const targets = { teacher: floatTensor([5, 7], teacher) };
    const { loss, gradient } = await lossAt(distillation({ temperature }), floatTensor([5, 7], logits), targets);
    expect(loss).toBeCloseTo(f(logits), 4);
    expectClose(gradient, slopes(f, logits), 1e-4);
  });

  it("refuses a teacher with other outputs", async () => {
    const targets = { teacher: floatTensor([5, 6], draw(30)) };
    await expect(lossAt(distillation(), floatTensor([5, 7], draw(35)), targets)).rejects.toThrow(
      "distillation: targets of dims [5,6] for an output of [5,7]. Do teacher and model answer the same question?",
    );
  });

  it("imitation, plain and relative to the size of what is imitated", async () => {
    const [output, teacher] = [draw(12), draw(12, 5)];
    const square = mean(output.map((value, i) => (value - teacher[i]) ** 2));
    const targets = { teacher: floatTensor([4, 3], teacher) };
    const w = floatTensor([4, 3], output);
    expect((await lossAt(imitation(), w, targets)).loss).toBeCloseTo(square, 4);
    const relative = square / mean(teacher.map((value) => value ** 2));
    expect((await lossAt(imitation({ relative: true }), w, targets)).loss).toBeCloseTo(relative, 5);
  });

  /** [N, C, P] -> a value "inside" of these dims, and a first output made of it. */
  const inside = (b: Builder, value: Value) => {
    const doubled = b.emit("Mul", [value, b.scalar(2)], {}, "inside");
    return b.emit("ReduceSum", [doubled, b.ints([1, 2])], { keepdims: attr.int(0) });
  };

  it("features of the same width directly, of another one through a matrix that is trained along", async () => {
    const w = draw(2 * 3 * 4);
    const teacher = draw(2 * 3 * 4, 2);
    const relative = (values: ArrayLike<number>) =>
      mean(Array.from(values, (value, i) => (2 * value - teacher[i]) ** 2)) / mean(teacher.map((value) => value ** 2));
    const loss = featureDistance({ value: "inside" });
    const same = await lossAt(
      loss,
      floatTensor([2, 3, 4], w),
      { "teacher/inside": floatTensor([2, 3, 4], teacher) },
      inside,
    );
    expect(same.loss).toBeCloseTo(relative(w), 5);
    expectClose(same.gradient, slopes(relative, w), 1e-4);

    const wide = floatTensor([2, 5, 4], draw(40, 2));
    const other = await lossAt(loss, floatTensor([2, 3, 4], w), { "teacher/inside": wide }, inside);
    expect(other.loss).toBeGreaterThan(0);
    expect(other.gradient.some((value) => value !== 0)).toBe(true);
  });

  it("features of two widths cannot follow each other", async () => {
    const targets = { "teacher/inside": floatTensor([2, 5, 6], draw(60)) };
    const w = floatTensor([2, 3, 4], draw(24));
    await expect(lossAt(featureDistance({ value: "inside" }), w, targets, inside)).rejects.toThrow(
      "value 'inside': [2,3,4] cannot follow the teacher's 'inside' [2,5,6]. They may differ in the size of one axis",
    );
    await expect(lossAt(attentionDistance({ value: "inside" }), w, targets, inside)).rejects.toThrow(
      "value 'inside': [2,3,4] cannot be compared with the teacher's 'inside' [2,5,6]",
    );
  });

  it("attention, whatever the number of channels", async () => {
    const [w, teacher] = [draw(2 * 3 * 4), draw(2 * 5 * 4)];
    const direction = (flat: ArrayLike<number>, channels: number) => {
      const map = Array.from({ length: 4 }, (_, p) =>
        mean(Array.from({ length: channels }, (_, c) => flat[c * 4 + p] ** 2)),
      );
      const length = Math.hypot(...map);
      return map.map((value) => value / length);
    };
    const wanted = rowsOf(teacher, 20).map((row) => direction(row, 5));
    const f = (values: ArrayLike<number>) =>
      mean(rowsOf(values, 12).map((row, n) => sum(direction(row, 3).map((value, p) => (value - wanted[n][p]) ** 2))));
    const targets = { "teacher/inside": floatTensor([2, 5, 4], teacher) };
    const found = await lossAt(attentionDistance({ value: "inside" }), floatTensor([2, 3, 4], w), targets, inside);
    expect(found.loss).toBeCloseTo(f(w), 5);
    expectClose(found.gradient, slopes(f, w), 1e-4);
  });
});

describe("mixtures", () => {
  it("add up, ask for all targets, and count right answers", async () => {
    const w = floatTensor([4, 3], draw(12));
    const targets = { class: intTensor([0, 2, 1, 1]), teacher: floatTensor([4, 3], draw(12)) };
    const [hard, soft] = [crossEntropy(), distillation()];
    const both = mixture([
      { loss: soft, weight: 0.7 },
      { loss: hard, weight: 0.3 },
      { loss: meanSquare, weight: 0 },
    ]);
    expect(both.targets).toEqual(["teacher", "class"]);
    const parts = await Promise.all([soft, hard].map(async (loss) => (await lossAt(loss, w, targets)).loss));
    expect((await lossAt(both, w, targets)).loss).toBeCloseTo(0.7 * parts[0] + 0.3 * parts[1], 5);
    expect(
      mixture([
        { loss: hard, weight: 1 },
        { loss: soft, weight: 0 },
      ]),
    ).toBe(hard);
  });
});

it("a loss must depend on what is trained", async () => {
  const aside = parseText(`model <ir 10, opset 21>
  aside(float[N,3] value) => (loss) {
    float[N,3] loss = Mul(value, value)
  }`);
  const targets = { value: floatTensor([4, 3], draw(12)) };
  await expect(
    compileProgram(
      prepareModel(modelOf(floatTensor([4, 3], draw(12)))),
      { inputs: { x: floatTensor([4, 3], draw(12)) }, targets },
      { loss: lossOfModel(aside), optimizer: sgd(), batchNorm: "fixed", masked: false },
      nodeEngine,
    ),
  ).rejects.toThrow("aside: it does not depend on any tensor that is trained");
});

describe("a loss given as a model", () => {
  const squares = parseText(`model <ir 10, opset 21>
  weighted(float[N,3] output, float[N,3] value, float[N,3] scaled) => (loss) {
    factor = float[3] {1, 2, 3}
    error = Sub(output, value)
    weighted = Mul(error, factor)
    square = Mul(weighted, weighted)
    float[N,3] loss = Add(square, scaled)
  }`);
  const scaled = (b: Builder, value: Value) => {
    b.emit("Mul", [value, b.scalar(3)], {}, "scaled");
    return value;
  };

  it("reads outputs, targets and values by their names, and is the mean of what it gives", async () => {
    const [w, wanted] = [draw(12), draw(12)];
    const loss = lossOfModel(squares);
    expect(loss).toMatchObject({ name: "weighted", targets: ["value"], values: ["scaled"] });
    const f = (values: ArrayLike<number>) =>
      mean(Array.from(values, (value, i) => ((value - wanted[i]) * ((i % 3) + 1)) ** 2 + 3 * value));
    const targets = { value: floatTensor([4, 3], wanted) };
    const found = await lossAt(loss, floatTensor([4, 3], w), targets, scaled);
    expect(found.loss).toBeCloseTo(f(w), 4);
    expectClose(found.gradient, slopes(f, w), 1e-4);
  });

  it("may be made of operators that do what several others do", async () => {
    const operator = parseText(`model <ir 10, opset 21>
    operator(float[N,3] logits, int64[N] class) => (loss) {
      float[] loss = SoftmaxCrossEntropyLoss<ignore_index = 2>(logits, class)
    }`);
    const w = floatTensor([4, 3], draw(12));
    const targets = { class: intTensor([0, 2, 1, 1]) };
    const end = (b: Builder, value: Value) => b.emit("Softmax", [value], { axis: attr.int(1) });
    const given = await lossAt(lossOfModel(operator), w, targets, end);
    const own = await lossAt(crossEntropy({ ignoreIndex: 2 }), w, targets, end);
    expect(given.loss).toBeCloseTo(own.loss, 6);
    expectClose(given.gradient, own.gradient);
  });

  it("says which value the model lacks", async () => {
    const targets = { value: floatTensor([4, 3], draw(12)) };
    await expect(lossAt(lossOfModel(squares), floatTensor([4, 3], draw(12)), targets)).rejects.toThrow(
      "the model has no value 'scaled'",
    );
  });
});
