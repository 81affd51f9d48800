import { describe, expect, it } from "vitest";
import { floatTensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import { allCases } from "../ops/all.cases.js";
import { buildCase } from "../ops/op.cases.js";
import { inferTrace } from "./infer.js";
import { nodeEngine } from "./node.js";
import { traceModel } from "./trace.js";

const seed = 11;

describe("inferring finds what running shows", () => {
  it.each(allCases.map((c) => [`${c.op}: ${c.name}`, c] as const))("%s", async (_, testCase) => {
    const { model, builder, outputs } = buildCase(testCase, seed);
    for (const output of outputs) addGraphOutput(model.graph, output);
    const run = await traceModel(model, builder.feeds, nodeEngine);
    const inferred = await inferTrace(model, builder.feeds, nodeEngine);
    for (const value of model.graph.values.values()) {
      if (!run.has(value)) continue;
      const found = { dtype: inferred.dtype(value), dims: [...inferred.dims(value)] };
      // ONNX's shape inference counts a last window that onnxruntime drops.
      const dims = testCase.name.startsWith("ceil_mode, last window would start in the padding");
      expect(found, value.name).toEqual({ dtype: run.dtype(value), dims: dims ? found.dims : [...run.dims(value)] });
      const ints = inferred.ints(value);
      if (ints !== null) expect(ints, value.name).toEqual(run.ints(value));
    }
  });
});

/** [batch, 6] -> [batch, 2, 3] by a shape that is computed, several times over. */
function computedShapes(times: number): { model: Model; shapes: Value[] } {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  let x = b.input("x", "float", ["batch", 6]);
  const shapes: Value[] = [];
  const concat = (...parts: Value[]) => b.emit("Concat", parts, { axis: { kind: "int", value: 0 } });
  for (let i = 0; i < times; i++) {
    const batch = b.emit("Gather", [b.emit("Shape", [x]), b.ints([0])]);
    const shape = concat(batch, b.ints(x.name === "x" || i % 2 === 0 ? [2, 3] : [6]));
    shapes.push(shape);
    x = b.emit("Relu", [b.emit("Reshape", [x, shape])]);
  }
  addGraphOutput(model.graph, x);
  return { model, shapes };
}

describe("inferring", () => {
  it("follows shapes that depend on shapes", async () => {
    const { model, shapes } = computedShapes(5);
    const trace = await inferTrace(model, { x: floatTensor([4, 6], Array(24).fill(1)) }, nodeEngine);
    expect(shapes.map((shape) => trace.ints(shape))).toEqual([
      [4, 2, 3],
      [4, 6],
      [4, 2, 3],
      [4, 6],
      [4, 2, 3],
    ]);
    expect(trace.dims(model.graph.outputs[0])).toEqual([4, 2, 3]);
  });

  it("computes nothing large", async () => {
    const { model } = computedShapes(2);
    const loaded: number[] = [];
    const counting = {
      ...nodeEngine,
      load: async (bytes: Uint8Array | string, options?: object) => {
        const session = await nodeEngine.load(bytes, options);
        return {
          ...session,
          run: (feeds: Record<string, never>) => {
            loaded.push(Object.keys(feeds).length);
            return session.run(feeds);
          },
        };
      },
    };
    await inferTrace(model, { x: floatTensor([4, 6], Array(24).fill(1)) }, counting);
    expect(loaded.length).toBeGreaterThan(0);
    expect(loaded.every((feeds) => feeds === 0)).toBe(true);
  });

  it("runs the model where a shape depends on data", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const x = b.input("x", "float", [4]);
    const found = b.emit("NonZero", [x]);
    addGraphOutput(model.graph, found);
    const trace = await inferTrace(model, { x: floatTensor([4], [1, 0, 2, 3]) }, nodeEngine);
    expect(trace.dims(found)).toEqual([1, 3]);
  });
});
