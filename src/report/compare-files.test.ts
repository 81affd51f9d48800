import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomStream } from "../base/random.js";
import { floatTensor, intTensor } from "../base/tensor.js";
import { createArrayDatasets } from "../data/array-dataset.js";
import { constantOf } from "../graph/constant.js";
import { setConstant } from "../graph/edit.js";
import { writeModel } from "../onnx/file.js";
import { nodeEngine } from "../run/node.js";
import { lenet300100 } from "../train/networks/lenet.js";
import { buildNetwork } from "../train/networks/network.js";
import { compareFiles } from "./compare-files.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "espalier-compare-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

test("measures what lies on disk: a last layer of zeros answers class 0 and stores nothing", async () => {
  const model = buildNetwork(lenet300100, [4], 3, randomStream(1, "weights"));
  const [before, after] = ["before.onnx", "after.onnx"].map((name) => join(folder, name));
  writeModel(model, before, {});
  for (const name of ["fc3.weight", "fc3.bias"]) {
    const value = model.graph.find(name)!;
    const { dims, size } = constantOf(value)!;
    setConstant(value, floatTensor(dims, new Float32Array(size)));
  }
  writeModel(model, after, { sparse: true });

  const labels = [0, 0, 1, 2, 0];
  const inputs = [{ name: null, tensor: floatTensor([5, 4], new Float32Array(20).fill(0.5)) }];
  const raw = { train: { name: "five", inputs, labels: intTensor(labels) }, test: null, classNames: null };
  const data = createArrayDatasets(raw, {}).train;
  const compared = await compareFiles(before, after, { engine: nodeEngine, threads: 1, data });

  const parameters = 4 * 300 + 300 + 300 * 100 + 100 + 100 * 3 + 3;
  const macs = 4 * 300 + 300 * 100 + 100 * 3;
  expect(compared.before).toMatchObject({ parameters, nonzeros: parameters, macs, effectiveMacs: macs });
  expect(compared.before.bytes).toBe(statSync(before).size);
  expect(compared.after).toMatchObject({ accuracy: 0.6, parameters, nonzeros: parameters - 303, macs });
  expect(compared.after.effectiveMacs).toBe(macs - 300);
  expect(compared.after.loss).toBeCloseTo(Math.log(3), 6);
  expect(compared.after.bytes).toBe(statSync(after).size);
  expect(compared.confusion?.after).toEqual([
    [3, 0, 0],
    [1, 0, 0],
    [1, 0, 0],
  ]);

  const unjudged = await compareFiles(before, after, { engine: nodeEngine, threads: 1, data: null });
  expect(unjudged).toMatchObject({ before: { accuracy: null, loss: null }, confusion: null });
});
