import { describe, expect, it } from "vitest";
import { runModel } from "../../test/support/run-model.js";
import { constant, modelOf, x } from "../../test/support/tiny-model.js";
import { floatTensor, intTensor, Tensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import {
  addGraphInput,
  addGraphOutput,
  addInitializer,
  addNode,
  addValue,
  createSubgraph,
  setIrVersion,
  setType,
} from "../graph/edit.js";
import type { Graph, Model, Value } from "../graph/ir.js";
import { parseText } from "../graph/parse.js";
import { parseModel } from "../onnx/read.js";
import { modelBytes } from "../onnx/write.js";
import { opOf } from "../ops/registry.js";
import { nodeEngine } from "../run/node.js";
import { frozenTensors } from "./frozen.js";
import { inputNames } from "./input-names.js";
import { gather } from "./layout.js";
import { crossEntropy } from "./losses/cross-entropy.js";
import { sgd } from "./optimizers.js";
import { prepareModel, specializeModel } from "./prepare.js";
import { compileProgram, type Program, type ProgramOptions, type Statistic } from "./program.js";
import { assertTrainable, findTrainable } from "./trainable.js";
import { type StepResult, Trainer } from "./trainer.js";
import { clipped } from "./update/clipped.js";

const labels = intTensor([0, 1, 1, 0]);
const plain: ProgramOptions = { loss: crossEntropy(), optimizer: sgd(), batchNorm: "batch", masked: false };

const linear = (b: Builder, input: Value) =>
  b.emit("Gemm", [input, constant(b, "w", [3, 2], [0.5, -1, 1, 0.3, -0.7, 0.2]), constant(b, "c", [2], [0.1, -0.2])]);

const compile = (model: Model, options: Partial<ProgramOptions> = {}): Promise<Program> =>
  compileProgram(
    prepareModel(model),
    { inputs: { x }, targets: { class: labels } },
    { ...plain, ...options },
    nodeEngine,
  );

async function trainerFor(model: Model, options: Partial<ProgramOptions> = {}): Promise<Trainer> {
  const program = await compile(model, options);
  const start = { parameters: gather(program.parameters, model.graph), running: gather(program.running, model.graph) };
  return Trainer.create(program, options.optimizer ?? plain.optimizer, start, nodeEngine, 1);
}

const takeOne = async (trainer: Trainer, rate: number): Promise<StepResult> =>
  (await trainer.take([{ inputs: [x], targets: { class: labels }, rate }]))[0];

const names = ({ parameters }: Program) => parameters.slices.map((slice) => slice.name);

describe("what a program trains", () => {
  it.each(["float16", "double"] as const)("says of %s weights that only float32 is trained", async (dtype) => {
    const model = parseText(`model <ir 10, opset 21>
    main(float[N,3] x) => (y) {
      w = ${dtype}[3,2] {1, 0, 0, 1, 2, 3}
      narrow = Cast<to = ${dtype === "double" ? 11 : 10}>(x)
      scores = MatMul(narrow, w)
      float[N,2] y = Cast<to = 1>(scores)
    }`);
    await expect(compile(model)).rejects.toMatchObject({
      code: "unsupported",
      message: `tensor 'w': its elements are ${dtype}, and only float32 weights are trained. Export the model in float32.`,
    });
    await expect(compile(model, { frozen: (name) => name === "w" })).rejects.toMatchObject({ code: "bad-usage" });
  });

  it("leaves a lone number that scales a tensor, and takes those of a layer and an activation", async () => {
    const model = modelOf((b, input) => {
      const half = b.emit("PRelu", [
        b.emit("Mul", [input, constant(b, "half", [], [0.5])]),
        constant(b, "s", [1], [0.1]),
      ]);
      const one = b.emit("Gemm", [half, constant(b, "w1", [3, 1], [1, 2, 3]), constant(b, "c1", [1], [0.5])]);
      return b.emit("MatMul", [one, constant(b, "w2", [1, 2], [1, -1])]);
    });
    expect(names(await compile(model))).toEqual(["s", "w1", "c1", "w2"]);
  });

  it("trains a file that lists its weights among the inputs", async () => {
    const model = modelOf(linear);
    setIrVersion(model, 3);
    for (const name of ["w", "c"]) {
      const value = model.graph.find(name);
      if (value) addGraphInput(model.graph, value);
    }
    const reread = parseModel(modelBytes(model));
    expect(reread.graph.inputs.map((input) => input.name)).toEqual(["x", "w", "c"]);
    const prepared = prepareModel(reread);
    expect(prepared.graph.inputs.map((input) => input.name)).toEqual(["x"]);
    expect(names(await compile(reread))).toEqual(["w", "c"]);
    expect(reread.graph.inputs.map((input) => input.name)).toEqual(["x", "w", "c"]);
  });

  it("counts running statistics that two nodes share once", async () => {
    const model = modelOf((b, input) => {
      const [mean, variance] = [constant(b, "mean", [3], [0, 0, 0]), constant(b, "var", [3], [1, 1, 1])];
      const norm = (value: Value, name: string) => {
        const [scale, bias] = [constant(b, `${name}.s`, [3], [1, 1, 1]), constant(b, `${name}.b`, [3], [0, 0, 0])];
        return b.emit("BatchNormalization", [value, scale, bias, mean, variance]);
      };
      return linear(b, norm(norm(input, "first"), "second"));
    });
    const trainer = await trainerFor(model);
    expect(trainer.program.running.slices.map((slice) => slice.name)).toEqual(["mean", "var"]);
    await takeOne(trainer, 0);
    // 0.9 * 0 + 0.1 * the means of the columns of x, which the first reader sees.
    const means = [0.025, 0.1, 0.05];
    for (const [i, mean] of means.entries()) expect(trainer.running[i]).toBeCloseTo(mean, 6);
  });

  it("takes nodes without names, as many exporters leave them", async () => {
    const model = parseText(`model <ir 10, opset 21>
    main(float[N,3] x) => (y) {
      w = float[3,2] {1, 0, 0, 1, 2, 3}
      scores = MatMul(x, w)
      float[N,2] y = LeakyRelu(scores)
    }`);
    const trainer = await trainerFor(model);
    expect([...model.graph.nodes].map((node) => node.name)).toEqual(["", ""]);
    expect((await takeOne(trainer, 0.1)).loss).toBeGreaterThan((await takeOne(trainer, 0.1)).loss);
  });

  it("computes nothing that nobody reads, such as the Softmax after the logits", async () => {
    const { bytes } = await compile(modelOf((b, input) => b.emit("Softmax", [linear(b, input)])));
    const [scan] = parseModel(bytes).graph.nodes;
    const types = scan.subgraphs.flatMap((body) => [...body.nodes].map((node) => node.type));
    expect(types).toContain("LogSoftmax");
    expect(types).not.toContain("Softmax");
  });
});

it("names what to freeze where an operator has no gradient, and trains the rest once it is frozen", async () => {
  const model = modelOf((b, input) => {
    const early = b.emit("Add", [
      b.emit("Mul", [input, constant(b, "scale", [3], [1, 2, 3])]),
      constant(b, "shift", [3], [0, 1, 0]),
    ]);
    return linear(b, b.emit("Mystery", [early]));
  });
  const known = prepareModel(model);
  // onnxruntime does not know it either: it stands in for one whose gradient nobody has written.
  for (const node of known.graph.nodes) if (node.type === "Mystery") expect(opOf(node)).toBe(undefined);
  const { blocked } = findTrainable(known.graph);
  expect(blocked.map(({ value }) => value.name)).toEqual(["scale", "shift"]);
  const [output] = known.graph.outputs;
  const trained = ["scale", "shift", "w"].flatMap((name) => known.graph.find(name) ?? []);
  expect(() => assertTrainable(known.graph, output, trained)).toThrow(
    /Mystery.*: no gradient passes here: espalier does not know this operator\. Freeze the layers before it: 'scale', 'shift'\.$/,
  );
  expect(() => assertTrainable(known.graph, output, trained.slice(2))).not.toThrow();
});

describe("what a program computes", () => {
  const mask = Float32Array.from([1, 0, 1, 0, 1, 0, 1, 1]);
  const gradientOf: Statistic = (_, __, gradient) => gradient;

  it("gathers the whole gradient, of removed weights too, and anew where it is told to", async () => {
    const statistics = { gradient: gradientOf, twice: gradientOf };
    const masked = await trainerFor(modelOf(linear), { masked: true, statistics, optimizer: clipped(sgd(), 1e-3) });
    masked.mask = mask;
    // Another program with the same weights, no mask and nothing clipped.
    const plainTrainer = await trainerFor(modelOf(linear), { statistics: { gradient: gradientOf } });
    const { vectors } = plainTrainer.state;
    const cut = plainTrainer.weights.map((weight, i) => weight * mask[i]);
    plainTrainer.state = { ...plainTrainer.state, vectors: { ...vectors, [inputNames.parameters]: cut } };
    for (const trainer of [masked, plainTrainer]) await takeOne(trainer, 0);
    const gradient = masked.statistic("gradient");
    expect(gradient).toEqual(plainTrainer.statistic("gradient"));
    for (const removed of [1, 3, 5]) expect(Math.abs(gradient?.[removed] ?? 0)).toBeGreaterThan(0.01);
    masked.restartStatistic("gradient");
    await takeOne(masked, 0);
    expect(masked.statistic("gradient")).toEqual(gradient);
    expect(masked.statistic("twice")).toEqual(gradient?.map((value) => 2 * value));
    expect(masked.statistic("other")).toBe(null);
  });

  it("clips by the length of the gradient of what is left", async () => {
    const trainer = await trainerFor(modelOf(linear), { masked: true, optimizer: clipped(sgd(), 0.01) });
    trainer.mask = mask;
    const before = trainer.weights;
    await takeOne(trainer, 1);
    const moved = trainer.weights.map((weight, i) => weight - before[i]);
    expect(Math.hypot(...moved)).toBeCloseTo(0.01, 6);
  });
});

/** An If in `outer` whose branches are filled by the two functions. */
function emitIf(
  outer: Graph,
  condition: Value,
  name: string,
  taken: (body: Builder) => Value,
  other: (b: Builder) => Value,
) {
  const branch = (fill: (body: Builder) => Value, suffix: string) => {
    const body = createSubgraph(outer, name + suffix);
    addGraphOutput(body, fill(new Builder(body)));
    return attr.graph(body);
  };
  const output = addValue(outer, name);
  const attributes = { then_branch: branch(taken, "-then"), else_branch: branch(other, "-else") };
  addNode(outer, "If", { inputs: [condition], outputs: [output], attributes });
  return output;
}

it("inlines an If whose condition becomes known inside the branch of another", async () => {
  const yes = Tensor.fromArray("bool", [], Uint8Array.of(1));
  const model = modelOf((b, input) =>
    emitIf(
      b.graph,
      b.constant(yes, "yes"),
      "outer",
      (body) => {
        const twelve = body.emit("Equal", [body.emit("Size", [input]), body.constant(intTensor([12], []), "twelve")]);
        const inner = (inside: Builder) => inside.emit("Mul", [input, inside.scalar(2)]);
        return linear(
          body,
          emitIf(body.graph, twelve, "inner", inner, (b2) => b2.emit("Neg", [input])),
        );
      },
      (body) => linear(body, input),
    ),
  );
  const prepared = prepareModel(model);
  await specializeModel(prepared, { x }, nodeEngine);
  expect([...prepared.graph.nodes].map((node) => node.type)).toEqual(["Mul", "Gemm"]);
  const [output] = Object.values(await runModel(prepared, { x }));
  const w = [0.5, -1, 1, 0.3, -0.7, 0.2];
  const row = Array.from(toFloat32(x).subarray(0, 3), (value) => 2 * value);
  const first = row.reduce((sum, value, i) => sum + value * w[2 * i], 0.1);
  expect(toFloat32(output)[0]).toBeCloseTo(first, 5);
});

describe("an If whose condition is known", () => {
  const yes = Tensor.fromArray("bool", [], Uint8Array.of(1));

  /** What the taken branch reads lies partly in it, partly around it; the last layer stands after the If. */
  const branched = () =>
    modelOf((b, input) => {
      const around = constant(b, "around", [3, 3], [1, 0, 0, 0, 1, 0, 0, 0, 1]);
      const taken = (body: Builder) => {
        const vectors = ["scale", "bias", "mean", "var"].map((name) =>
          constant(body, `inside.${name}`, [3], name === "var" || name === "scale" ? [1, 1, 1] : [0, 0, 0]),
        );
        const product = body.emit("MatMul", [input, constant(body, "inside", [3, 3], [1, 2, 0, 0, 1, 0, 0, 0, 1])]);
        return body.emit("MatMul", [body.emit("BatchNormalization", [product, ...vectors]), around]);
      };
      const through = emitIf(b.graph, b.constant(yes, "yes"), "if", taken, (body) => body.emit("Neg", [input]));
      return linear(b, through);
    });

  it("trains the constants of the main graph and of the branch that is taken", async () => {
    for (const batchNorm of ["fixed", "batch"] as const) {
      const model = branched();
      const trainer = await trainerFor(model, { batchNorm });
      expect(names(trainer.program).sort()).toEqual(["around", "c", "inside", "inside.bias", "inside.scale", "w"]);
      const running = trainer.program.running.slices.map(({ name }) => name);
      expect(running).toEqual(batchNorm === "batch" ? ["inside.mean", "inside.var"] : []);
      const { loss } = await takeOne(trainer, 0.1);
      const before = gather(trainer.program.parameters, model.graph);
      for (const { name, offset, size } of trainer.program.parameters.slices) {
        const moved = trainer.weights
          .subarray(offset, offset + size)
          .some((weight, i) => weight !== before[offset + i]);
        expect(moved, name).toBe(true);
      }
      expect((await takeOne(trainer, 0)).loss).toBeLessThan(loss);
    }
  });

  it("is no reason to take a name in a branch for one of the main graph", async () => {
    // Bodies may hide names of the graph around them; this one is no longer used there when the branch comes out.
    const model = modelOf((b, input) => {
      const hidden = b.emit("MatMul", [input, constant(b, "same", [3, 1], [1, 2, 3])]);
      const taken = (body: Builder) =>
        body.emit("Mul", [input, addInitializer(body.graph, "same", floatTensor([3], [1, 2, 3]))]);
      const other = (body: Builder) => body.emit("Add", [input, hidden]);
      return linear(b, emitIf(b.graph, b.constant(yes, "yes"), "if", taken, other));
    });
    expect(names(await compile(model))).toEqual(["w", "c"]);
  });

  it("can be frozen by the names of what is trained, and by no others", async () => {
    const frozen = frozenTensors(branched(), ["around", "w", "inside*"]);
    expect(names(await compile(branched(), { frozen }))).toEqual(["c"]);
    expect(() => frozenTensors(branched(), ["outside*"])).toThrow(/There are .*around/);
  });

  it("names what the model calls as training does", async () => {
    const model = modelOf((b, input) => b.emit("Identity", [linear(b, input)]));
    const taken = addValue(model.graph, inputNames.parameters);
    addGraphInput(model.graph, taken);
    setType(taken, { dtype: "float", dims: [4, 2] });
    const compiled = compileProgram(
      prepareModel(model),
      { inputs: { x, [taken.name]: floatTensor([4, 2], Array(8).fill(0)) }, targets: { class: labels } },
      plain,
      nodeEngine,
    );
    await expect(compiled).rejects.toThrow("an input 'train/parameters' is to be added, the model has that name");
  });
});
