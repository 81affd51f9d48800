import { describe, expect, it } from "vitest";
import { floatTensor, fromNumbers, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "./node.js";

/** The bytes of a model that is one operator on floats. */
function modelOf(operator: string): Uint8Array {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  addGraphOutput(model.graph, b.emit(operator, [b.input("x", "float", [2, 4])], {}, "strange"));
  return modelBytes(model);
}

describe("a model that onnxruntime cannot load", () => {
  it("is refused with the operator that it does not have", async () => {
    for (const operator of ["my.domain.Fancy", "com.microsoft.NoSuchThing", "NoSuchThing"]) {
      const what = `onnxruntime-node has no operator ${operator}, which the model uses`;
      await expect(nodeEngine.load(modelOf(operator))).rejects.toMatchObject({ code: "runtime", what });
    }
  });

  it("is refused with the node whose operator runs elsewhere only", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const [x, y] = ["x", "y"].map((name) => b.input(name, "float", [2, 4]));
    const attributes = { axis: attr.int(1), is_inner_broadcast: attr.int(0) };
    addGraphOutput(model.graph, b.emit("com.microsoft.BiasSoftmax", [x, y], attributes, "elsewhere"));
    const what = "onnxruntime-node cannot run the operator BiasSoftmax of the node 'elsewhere'";
    await expect(nodeEngine.load(modelBytes(model))).rejects.toMatchObject({ code: "runtime", what });
  });
});

it("leaves out what JavaScript has no tensors for, instead of dying of it", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const zero = b.constant(fromNumbers("int4", [], [0]));
  const q = b.emit("QuantizeLinear", [b.input("x", "float", [2]), b.scalar(0.5), zero]);
  const y = b.emit("DequantizeLinear", [q, b.scalar(0.5), zero]);
  for (const value of [q, y]) addGraphOutput(model.graph, value);
  const session = await nodeEngine.load(modelBytes(model));
  const feeds = { x: floatTensor([2], [0.9, -1.6]) };
  const [all, named] = [await session.run(feeds), await session.run(feeds, [q.name])];
  await session.release();
  expect(Object.keys(all)).toEqual([y.name]);
  expect([...toFloat32(all[y.name])]).toEqual([1, -1.5]);
  expect(named).toEqual({});
});
