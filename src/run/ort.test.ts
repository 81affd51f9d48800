import { describe, expect, it } from "vitest";
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
