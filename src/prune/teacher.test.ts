import { expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { freshModel } from "../../test/support/pruning.js";
import { toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { setGraphOutputs } from "../graph/edit.js";
import { modelBytes } from "../onnx/write.js";
import { nodeEngine } from "../run/node.js";
import { askTeacher } from "./teacher.js";

const data = blobs(300);
const options = { engine: nodeEngine, threads: 1, batchSize: 64 };

it("gives the original's logits for any examples, also from before a final Softmax", async () => {
  const model = freshModel();
  const { inputs } = await data.read([299, 0, 64]);
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const { logits } = await session.run({ input: inputs[0] });
  await session.release();
  const b = new Builder(model.graph);
  const probabilities = b.emit("Softmax", [model.graph.outputs[0]], { axis: attr.int(1) });
  setGraphOutputs(model.graph, [probabilities]);
  const ask = await askTeacher(model, data, "class", options);
  const answer = ask(Uint32Array.of(299, 0, 64));
  expect(answer.dims).toEqual([3, 4]);
  for (const [i, value] of toFloat32(answer).entries()) expect(value).toBeCloseTo(toFloat32(logits)[i], 5);
  const values = await askTeacher(model, data, "value", options);
  const rows = toFloat32(values(Uint32Array.of(5, 6)));
  for (const row of [rows.subarray(0, 4), rows.subarray(4)]) expect(row.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
});

it("refuses answers that would not fit in memory", async () => {
  const endless = { ...data, size: 2 ** 31 };
  await expect(askTeacher(freshModel(), endless, "class", options)).rejects.toThrow(/answers take 34359738368 bytes/);
});
