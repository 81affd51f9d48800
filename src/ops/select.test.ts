import { expect, it } from "vitest";
import { floatTensor, intTensor, type Tensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { modelBytes } from "../onnx/write.js";
import { emitGradients } from "../passes/autodiff.js";
import { nodeEngine } from "../run/node.js";
import { traceModel } from "../run/trace.js";

/** The gradient of Gather(table, indices) for dy, traced with other indices than it is run with. */
async function gatherGradient(rows: number, axis: number, traced: Tensor, indices: Tensor, dy: Tensor) {
  const width = 4;
  const dims = axis === 0 ? [rows, width] : [width, rows];
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const table = b.input("table", "float", dims);
  const index = b.input("index", "int64", indices.dims);
  const seed = b.input("dy", "float", dy.dims);
  const y = b.emit("Gather", [table, index], { axis: attr.int(axis) });
  const feeds = { table: floatTensor(dims, new Float32Array(rows * width)), dy };
  const trace = await traceModel(model, { ...feeds, index: traced }, nodeEngine);
  const grad = emitGradients(model.graph, new Map([[y, seed]]), [table], trace).get(table);
  if (!grad) throw new Error("no gradient");
  addGraphOutput(model.graph, grad);
  const session = await nodeEngine.load(modelBytes(model), { threads: 2 });
  const result = (await session.run({ ...feeds, index: indices }))[grad.name];
  await session.release();
  return toFloat32(result);
}

it("Gather's gradient follows an index that is only known when the graph runs", async () => {
  const gradient = await gatherGradient(3, 1, intTensor([0], []), intTensor([-1], []), floatTensor([4], [1, 2, 3, 4]));
  expect([...gradient]).toEqual([0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4]);
});

it("Gather's gradient adds up every use of an index, on several threads", async () => {
  const count = 30_000;
  const indices = intTensor(Array.from({ length: count }, (_, i) => i % 3));
  const dy = floatTensor([count, 4], new Float32Array(count * 4).fill(1));
  const gradient = await gatherGradient(3, 0, indices, indices, dy);
  expect([...gradient]).toEqual(Array(12).fill(count / 3));
});
