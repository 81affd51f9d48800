import { expect, it } from "vitest";
import { runModel } from "../../test/support/run-model.js";
import { randomStream } from "../base/random.js";
import { floatTensor, sizeOf, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import { constantRank, inMemory, sourceOf, viewOf } from "./constant-view.js";

type Chain = (b: Builder, source: Value) => Value;

const turn = (b: Builder, x: Value, ...perm: number[]) => b.emit("Transpose", [x], { perm: attr.ints(perm) });
const reshape = (b: Builder, x: Value, ...dims: number[]) => b.emit("Reshape", [x, b.ints(dims)]);

function build(dims: readonly number[], chain: Chain, opset = 21) {
  const model = new Model(8, opset);
  const b = new Builder(model.graph);
  const numbers = Array.from({ length: sizeOf(dims) }, (_, i) => i);
  const source = b.constant(floatTensor(dims, numbers), "w");
  const end = chain(b, source);
  addGraphOutput(model.graph, end);
  return { model, source, end };
}

/** What the view says the elements are at the end of the chain, when element i of the constant is i. */
function elementsSeen(end: Value): number[] {
  const axes = viewOf(end)?.axes ?? [];
  return axes
    .flat()
    .reduce(
      (starts, { size, stride }) =>
        starts.flatMap((start) => Array.from({ length: size }, (_, i) => start + i * stride)),
      [0],
    );
}

const chains: readonly [string, readonly number[], Chain, number?][] = [
  ["nothing", [2, 3, 4], (_, x) => x],
  ["Transpose reversing", [2, 3, 4], (b, x) => b.emit("Transpose", [x])],
  ["Transpose twice", [2, 3, 4], (b, x) => turn(b, turn(b, x, 2, 0, 1), 1, 0, 2)],
  ["Reshape splitting", [5, 24], (b, x) => reshape(b, x, 5, 4, 3, 2)],
  ["Reshape merging", [2, 3, 4], (b, x) => reshape(b, x, 0, -1)],
  ["Reshape across all axes", [2, 3, 4], (b, x) => reshape(b, x, 4, 6)],
  ["Reshape of a Transpose", [3, 3, 4, 5], (b, x) => reshape(b, turn(b, x, 3, 2, 0, 1), 5, 36)],
  ["Reshape and back", [4, 6], (b, x) => reshape(b, turn(b, reshape(b, x, 2, 2, 6), 1, 2, 0), 12, 2)],
  ["Flatten", [2, 3, 4], (b, x) => b.emit("Flatten", [x], { axis: attr.int(-1) })],
  ["Squeeze of named axes", [1, 3, 1, 4], (b, x) => b.emit("Squeeze", [x, b.ints([-2])])],
  ["Squeeze of all", [1, 3, 1, 4], (b, x) => b.emit("Squeeze", [x])],
  ["Squeeze, opset 11", [1, 3, 4], (b, x) => b.emit("Squeeze", [x], { axes: attr.ints([0]) }), 11],
  ["Unsqueeze", [3, 4], (b, x) => b.emit("Unsqueeze", [x, b.ints([-1, 1])])],
  ["Unsqueeze, opset 11", [3, 4], (b, x) => b.emit("Unsqueeze", [x], { axes: attr.ints([0]) }), 11],
  ["Cast, Identity, Dropout", [3, 4], (b, x) => b.emit("Dropout", [b.emit("Identity", [x])])],
  ["Cast", [3, 4], (b, x) => b.emit("Cast", [b.emit("Cast", [x], { to: attr.int(11) })], { to: attr.int(1) })],
];

it.each(chains)("%s: agrees with onnxruntime about dims and elements", async (_, dims, chain, opset) => {
  const { model, source, end } = build(dims, chain, opset);
  const [name] = model.graph.outputs.map((output) => output.name);
  const result = (await runModel(model, {}))[name];
  expect(viewOf(end)?.axes.map((axis) => axis.reduce((all, { size }) => all * size, 1))).toEqual(result.dims);
  expect(elementsSeen(end)).toEqual(toNumbers(result));
  expect(sourceOf(end)).toBe(source);
  expect(constantRank(end)).toBe(result.dims.length);
});

it("a thousand random chains of Transpose and Reshape: right, or not known", async () => {
  const random = randomStream(1, "views");
  let known = 0;
  for (let round = 0; round < 1000; round++) {
    // Computed here by moving the elements themselves.
    let dims = [2, 3, 4];
    let elements = Array.from({ length: 24 }, (_, i) => i);
    const { end } = build(dims, (b, x) => {
      let at = x;
      for (let step = 0; step < 3; step++) {
        if (random.integer(2) === 0) {
          const perm = [...random.permutation(dims.length)];
          const strides = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)));
          let moved = [0];
          for (const axis of perm)
            moved = moved.flatMap((start) => Array.from({ length: dims[axis] }, (_, i) => start + i * strides[axis]));
          const before = elements;
          elements = moved.map((i) => before[i]);
          dims = perm.map((axis) => dims[axis]);
          at = turn(b, at, ...perm);
        } else {
          dims = [[24], [6, 4], [2, 12], [3, 8], [2, 3, 4], [4, 3, 2], [2, 2, 3, 2]][random.integer(7)];
          at = reshape(b, at, ...dims);
        }
      }
      return at;
    });
    if (!viewOf(end)) continue;
    known++;
    expect(elementsSeen(end)).toEqual(elements);
  }
  expect(known).toBeGreaterThan(700);
});

it("tells where each axis lies in memory", () => {
  const seen = (dims: readonly number[], chain: Chain) => {
    const view = viewOf(build(dims, chain).end);
    return view && inMemory(view);
  };
  expect(seen([5, 1, 3], (_, x) => x)).toEqual({ dims: [5, 1, 3], axes: [0, 1, 2] });
  expect(seen([6, 8], (b, x) => turn(b, x, 1, 0))).toEqual({ dims: [6, 8], axes: [1, 0] });
  expect(seen([5, 24], (b, x) => reshape(b, x, 5, 4, 3, 2))).toEqual({ dims: [5, 4, 3, 2], axes: [0, 1, 2, 3] });
  // Rows, columns, channels, filters to a matrix of filters x (channels, rows, columns): the innermost are the columns.
  const matrix = seen([2, 3, 4, 5], (b, x) => reshape(b, turn(b, x, 3, 2, 0, 1), 5, 24));
  expect(matrix).toEqual({ dims: [6, 4, 5], axes: [2, 0] });
  expect(seen([6], (b, x) => b.emit("Unsqueeze", [x, b.ints([0])]))).toEqual({ dims: [6, 1], axes: [1, 0] });
});

it("knows nothing of what is computed, and of dims nobody can foresee", () => {
  const { end: negated } = build([2, 3], (b, x) => b.emit("Neg", [x]));
  expect(sourceOf(negated)).toBeNull();
  const { end: whole } = build([2, 3], (b, x) => b.emit("Cast", [x], { to: attr.int(7) }));
  expect(sourceOf(whole)).toBeNull();
  const { end: across } = build([2, 3], (b, x) => reshape(b, turn(b, x, 1, 0), 2, 3));
  expect(viewOf(across)).toBeNull();
  const { end: open, source } = build([4], (b, x) => b.emit("Reshape", [x, b.input("shape", "int64", [2])]));
  expect(viewOf(open)).toBeNull();
  expect(sourceOf(open)).toBe(source);
});
