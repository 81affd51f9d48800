import { expect, it } from "vitest";
import { toFloat32 } from "../../src/base/tensor.js";
import { nodeEngine } from "../../src/run/node.js";
import { computeGradients, type GradientOptions } from "../../src/train/compute-gradients.js";
import { arraysOf, batchOf, distance, inputsOf, largestOf, modelOf, named, peers, under } from "./fixtures.js";
import { lossNamed } from "./losses.js";

it("there are networks of all families", () => {
  expect(peers.length).toBeGreaterThan(100);
  expect(new Set(peers.map(({ name }) => name)).size).toBe(peers.length);
});

it.each(peers)("$name: loss and gradients are PyTorch's", async (peer) => {
  const arrays = await arraysOf(peer);
  const wanted = under(arrays, "gradient/");
  const names = Object.keys(peer.parameters);
  expect([...wanted.keys()].sort()).toEqual([...names].sort());
  const options: GradientOptions = {
    engine: nodeEngine,
    threads: 1,
    inputs: inputsOf(arrays, 0),
    loss: lossNamed(peer.loss),
    targets: { [peer.target]: batchOf(named(arrays, "target"), 0) },
  };
  const { loss, gradients } = await computeGradients(modelOf(peer), { ...options, parameters: names });
  expect(Math.abs(loss - peer.value)).toBeLessThan(1e-5 * Math.max(1, peer.value));
  for (const [name, tensor] of wanted) {
    const values = toFloat32(tensor);
    expect(gradients[name].dims, name).toEqual(tensor.dims);
    const largest = largestOf(values);
    // What adds to all scores of a Softmax alike has the gradient 0, of which rounding leaves 1e-8.
    const limit = 1e-3 * Math.max(largest, 1e-4);
    expect(distance(toFloat32(gradients[name]), values), `${name}, whose largest is ${largest}`).toBeLessThan(limit);
  }

  const found = Object.keys((await computeGradients(modelOf(peer), options)).gradients);
  const known = [...names.filter((name) => !peer.numbers.includes(name)), ...peer.constants];
  expect(found.sort()).toEqual(known.sort());
});
