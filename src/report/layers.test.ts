import { expect, it } from "vitest";
import { floatTensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model } from "../graph/ir.js";
import { nodeEngine } from "../run/node.js";
import { countLayerCosts } from "./layers.js";

it("counts weights that arrive transposed for the layer that multiplies by them", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const weight = b.constant(floatTensor([2, 3], [1, 0, 2, 0, 0, 3]), "w");
  const product = b.emit("MatMul", [b.input("x", "float", [5, 3]), b.emit("Transpose", [weight])], {}, "layer");
  b.output(product, "y", { dtype: "float", dims: null });
  const { layers } = await countLayerCosts(model, { engine: nodeEngine });
  expect(layers).toEqual([
    { name: "layer", op: "MatMul", dims: [2, 3], parameters: 6, nonzeros: 3, macs: 30, effectiveMacs: 15 },
  ]);
});
