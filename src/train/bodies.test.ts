import { expect, test } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, intTensor, Tensor, toFloat32 } from "../base/tensor.js";
import { createArrayDatasets } from "../data/array-dataset.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, addInitializer, createSubgraph } from "../graph/edit.js";
import { type Graph, Model, type Value } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";
import { nodeEngine } from "../run/node.js";
import { adamW } from "./optimizers.js";
import { constantRate } from "./rates.js";
import { type TrainOptions, trainModel } from "./train-model.js";

const factors = floatTensor([4], [0.9, -1.1, 1.2, 0.8]);
const options: TrainOptions = {
  engine: nodeEngine,
  threads: 1,
  epochs: 2,
  batchSize: 10,
  optimizer: adamW(),
  rate: 0.01,
  schedule: constantRate,
};

/** Two classes, told apart by the sum of four numbers. */
function data() {
  const random = randomStream(3, "bodies");
  const values = Array.from({ length: 200 }, () => random.normal());
  const labels = Array.from({ length: 50 }, (_, i) =>
    Number(values.slice(4 * i, 4 * i + 4).reduce((a, b) => a + b) > 0),
  );
  const inputs = [{ name: null, tensor: floatTensor([50, 4], values) }];
  return createArrayDatasets(
    { train: { name: "sums", inputs, labels: intTensor(labels) }, test: null, classNames: null },
    {},
  ).train;
}

/** Something, and a layer after it. */
function network(middle: (b: Builder, x: Value) => Value): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const through = middle(b, b.input("x", "float", ["N", 4]));
  const last = addInitializer(model.graph, "last", floatTensor([4, 2], [0.1, -0.2, 0.3, 0.2, -0.1, 0.1, 0.2, -0.3]));
  addGraphOutput(model.graph, b.emit("MatMul", [through, last]));
  return model;
}

const step = (b: Builder, value: Value, weight: Value) => b.emit("Tanh", [b.emit("Mul", [value, weight])]);
const weight = (graph: Graph) => addInitializer(graph, "factors", factors);

/** `steps` gives how often the body runs, unless what `again` makes of its condition and state ends it before. */
const loop = (
  steps: (b: Builder, x: Value) => Value,
  again: (inside: Builder, condition: Value, state: Value) => Value = (_, condition) => condition,
) =>
  network((b, x) => {
    const body = createSubgraph(b.graph, "body");
    const inside = new Builder(body);
    inside.input("number", "int64", []);
    const goesOn = inside.input("goes_on", "bool", []);
    const after = step(inside, inside.input("before", "float", ["N", 4]), weight(body));
    for (const output of [inside.emit("Identity", [again(inside, goesOn, after)]), after]) addGraphOutput(body, output);
    const yes = b.constant(Tensor.fromArray("bool", [], Uint8Array.of(1)));
    return b.emit("Loop", [steps(b, x), yes, x], { body: attr.graph(body) });
  });

function valuesOf(model: Model, name: string): Float32Array {
  for (const graph of allGraphs(model.graph)) {
    const tensor = constantOf(graph.values.get(name) ?? null);
    if (tensor) return toFloat32(tensor);
  }
  throw new Error(`no ${name}`);
}

test("weights in the body of a Loop are trained as if its steps stood one after the other", async () => {
  const model = loop((b) => b.constant(intTensor([3], [])));
  const unrolled = network((b, x) => {
    const shared = weight(b.graph);
    return [1, 2, 3].reduce((value) => step(b, value, shared), x);
  });
  const [trained, expected] = [await trainModel(model, data(), options), await trainModel(unrolled, data(), options)];
  for (const name of ["factors", "last"]) {
    const values = valuesOf(trained.model, name);
    expect([...values]).not.toEqual([...valuesOf(model, name)]);
    for (const [i, value] of valuesOf(expected.model, name).entries()) expect(values[i], name).toBeCloseTo(value, 5);
  }
  expect([...trained.model.graph.nodes].some(({ type }) => type === "Loop")).toBe(true);
});

const largest = (b: Builder, value: Value) => b.emit("ReduceMax", [b.emit("Abs", [value])], { keepdims: attr.int(0) });

test.each([
  ["runs as often", loop((b, x) => b.emit("Cast", [b.emit("Ceil", [largest(b, x)])], { to: attr.int(7) }))],
  [
    "ends when",
    loop(
      (b) => b.constant(intTensor([3], [])),
      (inside, _, state) => inside.emit("Less", [largest(inside, state), inside.scalar(0.9)]),
    ),
  ],
])("a Loop that %s as its data say is refused by name", async (_, model) => {
  await expect(trainModel(model, data(), options)).rejects.toMatchObject({
    code: "unsupported",
    message: /Loop.*how often it runs depends on the data/,
  });
});

test("of a choice that all data decide alike, what they do not take plays no part in training", async () => {
  // Written out beside the other, this branch would make every gradient 0 * inf.
  const model = network((b, x) => {
    const branch = (name: string, fill: (inside: Builder) => Value) => {
      const body = createSubgraph(b.graph, name);
      addGraphOutput(body, fill(new Builder(body)));
      return attr.graph(body);
    };
    return b.emit("If", [b.emit("Greater", [largest(b, x), b.scalar(1000)])], {
      then_branch: branch("never", (inside) => {
        const scaled = inside.emit("Mul", [x, addInitializer(inside.graph, "never.w", factors)]);
        return inside.emit("Sqrt", [inside.emit("Sub", [scaled, scaled])]);
      }),
      else_branch: branch("always", (inside) => step(inside, x, weight(inside.graph))),
    });
  });
  const { model: trained, diverged } = await trainModel(model, data(), options);
  expect(diverged).toBeNull();
  expect([...valuesOf(trained, "factors")]).not.toEqual([...toFloat32(factors)]);
  expect([...valuesOf(trained, "never.w")]).toEqual([...toFloat32(factors)]);
});
