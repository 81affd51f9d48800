import { expect, it } from "vitest";
import { EspalierError } from "../../base/errors.js";
import { randomStream } from "../../base/random.js";
import { floatTensor } from "../../base/tensor.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import { networkNamed } from "./by-name.js";
import { buildNetwork } from "./network.js";

function build(name: string, dims: readonly number[]) {
  const network = networkNamed(name);
  if (!network) throw new Error(`there is no network ${name}`);
  return buildNetwork(network, dims, 4, randomStream(1, "weights"));
}

it.each([
  ["lenet-300-100", [2]],
  ["lenet-5", [1, 16, 16]],
  ["lenet-5", [3, 17, 20]],
  ["resnet-20", [3, 1, 1]],
])("%s runs on examples of dims %j", async (name, dims) => {
  const session = await nodeEngine.load(modelBytes(build(name, dims)), { threads: 1 });
  const input = floatTensor([2, ...dims], new Float32Array(2 * dims.reduce((a, b) => a * b)));
  expect((await session.run({ input })).logits.dims).toEqual([2, 4]);
  await session.release();
});

it.each([
  ["lenet-5", [2], "lenet-5 takes images of at least 16x16, not examples of dims [2]. Give images [channels, height"],
  ["lenet-5", [28, 28], "not examples of dims [28, 28]"],
  ["lenet-5", [1, 15, 28], "not examples of dims [1, 15, 28]"],
  ["lenet-5", [1, 28, 15], "not examples of dims [1, 28, 15]"],
  ["lenet-5", [1, 1, 28, 28], "not examples of dims [1, 1, 28, 28]"],
  ["resnet-20", [2], "resnet-20 takes images, not examples of dims [2]"],
  ["resnet-20", [], "resnet-20 takes images, not examples of dims []"],
  ["resnet-20", [3, 0, 8], "resnet-20 takes images, not examples of dims [3, 0, 8]"],
])("%s refuses dims %j", (name, dims, message) => {
  expect(() => build(name, dims)).toThrow(message);
  expect(() => build(name, dims)).toThrow(expect.objectContaining({ name: EspalierError.name, code: "bad-data" }));
});
