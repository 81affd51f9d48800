import { describe, expect, it } from "vitest";
import { randomStream } from "../base/random.js";
import { attr } from "../graph/attribute.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { CaseBuilder } from "../ops/op.cases.js";
import { nodeEngine } from "../run/node.js";
import { traceModel } from "../run/trace.js";
import { expandComposites } from "./expand-composites.js";

function network() {
  const model = new Model(10, 21);
  const c = new CaseBuilder(model, randomStream(7, "expand"));
  return { model, c };
}

const types = (model: Model) => [...model.graph.nodes].map((node) => node.operator).sort();

describe("expandComposites", () => {
  it("keeps the values between the operators, and what computes the outputs", async () => {
    const { model, c } = network();
    const product = c.emit("Einsum", [c.float([2, 3]), c.float([3, 4])], { equation: attr.string("ij,jk->ik") });
    const y = c.emit("Relu", [product]);
    addGraphOutput(model.graph, product);
    addGraphOutput(model.graph, y);
    const before = await (await nodeEngine.load(modelBytes(model))).run(c.feeds);

    expect(expandComposites(model, await traceModel(model, c.feeds, nodeEngine))).toBe(1);

    expect(types(model)).not.toContain("Einsum");
    expect(model.graph.outputs).toEqual([product, y]);
    expect(y.producer?.inputs).toEqual([product]);
    expect(product.producer?.graph).toBe(model.graph);
    const after = await (await nodeEngine.load(modelBytes(model))).run(c.feeds);
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const [name, tensor] of Object.entries(before)) expect(after[name]).toEqual(tensor);
  });

  it("drops outputs that nobody reads", async () => {
    const { model, c } = network();
    const inputs = [c.float([2, 3, 4]), c.float([2, 3, 4]), c.float([4])];
    const outputs = c.emitMany("com.microsoft.SkipSimplifiedLayerNormalization", inputs, 4);
    addGraphOutput(model.graph, outputs[3]);

    expect(expandComposites(model, await traceModel(model, c.feeds, nodeEngine))).toBe(1);

    expect(model.graph.values.has(outputs[1].name)).toBe(false);
    expect(outputs[3].producer?.type).toBe("Identity");
  });

  it("leaves models alone that have none", async () => {
    const { model, c } = network();
    addGraphOutput(model.graph, c.emit("Relu", [c.float([2])]));
    const before = types(model);
    expect(expandComposites(model, await traceModel(model, c.feeds, nodeEngine))).toBe(0);
    expect(types(model)).toEqual(before);
  });

  it("refuses uses that cannot be written with others, naming node and reason", async () => {
    const { model, c } = network();
    const regions = c.fed([1, 4], [0, 0, 3, 3]);
    addGraphOutput(model.graph, c.emit("RoiAlign", [c.float([1, 2, 4, 4]), regions, c.int64([0])]));
    const trace = await traceModel(model, c.feeds, nodeEngine);
    expect(() => expandComposites(model, trace)).toThrow(/RoiAlign.*how many points it reads depends on its regions/);
  });
});
