import { describe, expect, it } from "vitest";
import { floatTensor, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import { constantOf } from "../../src/graph/constant.js";
import { removeGraphInput, replaceUses, setConstant } from "../../src/graph/edit.js";
import { modelBytes } from "../../src/onnx/write.js";
import { allCases } from "../../src/ops/all.cases.js";
import type { LinearMap } from "../../src/ops/linear-map.js";
import { buildCase, type OpCase } from "../../src/ops/op.cases.js";
import { allOps, opOf } from "../../src/ops/registry.js";
import { nodeEngine } from "../../src/run/node.js";
import type { Tensors } from "../../src/run/session.js";
import { traceModel } from "../../src/run/trace.js";

// Every rule that writes a node as products of matrices: summed up in loops, they give what onnxruntime computes.
const seed = 41;
const linearTypes = new Set(allOps.filter((op) => op.linear).map((op) => op.type));
const cases = allCases.filter((c) => linearTypes.has(c.op));

/** Products of two batches of matrices, or of vectors, are no layers. */
const noLayer = new Set<string>();
const covered = new Set<string>();

describe("linear maps", () => {
  for (const side of [1, 0]) {
    it.each(cases.map((c) => [`${c.op}: ${c.name}, weights at ${side}`, c] as const))("%s", async (label, testCase) => {
      const checked = await check(testCase, side);
      if (checked) covered.add(testCase.op);
      else noLayer.add(label);
    });
  }

  it("are found in most cases", () => {
    expect([...covered].sort()).toEqual([...linearTypes].sort());
    // What has its weights on the other side, and products of more than a matrix.
    const odd = [...noLayer].filter((label) => !/^MatMul|at 0$/.test(label));
    expect(odd).toEqual([]);
  });
});

async function check(testCase: OpCase, side: number): Promise<boolean> {
  const { model, builder, outputs } = buildCase(testCase, seed);
  const { graph } = model;
  const feeds: Tensors = { ...builder.feeds };
  const node = [...graph.nodes].find((each) => each.type === testCase.op);
  if (!node) throw new Error("the case has no such node");
  for (const index of [side, 2]) {
    const value = node.inputs[index];
    const feed = value && feeds[value.name];
    if (!value || !feed) continue;
    replaceUses(value, builder.constant(feed));
    removeGraphInput(graph, value);
    delete feeds[value.name];
  }
  const trace = await traceModel(model, feeds, nodeEngine);
  const dimsOf = (value: (typeof node.inputs)[number] | undefined) => (value ? trace.dims(value) : []);
  const map = opOf(node)?.linear?.({
    node,
    inputDims: (index) => dimsOf(node.inputs[index]),
    outputDims: (index) => dimsOf(node.outputs[index]),
  });
  if (!map || map.weight !== side || constantOf(node.inputs[map.data])) return false;
  // What the node adds that is no bias for each channel is not part of the product.
  const added = node.inputs[2] ?? null;
  const addend = constantOf(added);
  if (added && addend && map.bias === null) setConstant(added, floatTensor(addend.dims, new Float32Array(addend.size)));
  const session = await nodeEngine.load(modelBytes(model, [node.outputs[0] ?? outputs[0]]), { threads: 1 });
  const data = node.inputs[map.data];
  const result = { ...feeds, ...(await session.run(feeds)) };
  await session.release();
  const numbers = (index: number | null) => {
    const value = index === null ? null : (node.inputs[index] ?? null);
    return value && toFloat32(constantOf(value) ?? result[value.name]);
  };
  const [x, w] = [data && matrix(result[data.name], map.dataAxis), numbers(map.weight)];
  const output = node.outputs[0];
  if (!x || !w || !output) throw new Error("data, weights and output are there");
  const y = matrix(result[output.name], map.outputAxis);
  const bias = numbers(map.bias);
  for (const [r, row] of y.entries()) {
    for (const [channel, found] of row.entries()) {
      const [group, o] = [Math.floor(channel / map.outputs), channel % map.outputs];
      let sum = bias ? map.biasScale * bias[channel] : 0;
      for (let tap = 0; tap < map.taps; tap++) {
        const source = map.source(r, tap);
        for (let i = 0; i < map.inputs && source >= 0; i++) {
          sum += map.scale * x[source][group * map.inputs + i] * w[map.at(group, tap, i, o)];
        }
      }
      expect(Math.abs(sum - found), `seed ${seed}: row ${r}, channel ${channel}`).toBeLessThan(1e-4);
    }
  }
  return y.length > 0;
}

/** A row for each position of all axes but one. */
function matrix(tensor: Tensor, axis: LinearMap["dataAxis"]): number[][] {
  const { dims } = tensor;
  const values = toFloat32(tensor);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
  return Array.from({ length: outer * inner }, (_, row) => {
    const start = Math.floor(row / inner) * dims[axis] * inner + (row % inner);
    return Array.from({ length: dims[axis] }, (_, channel) => values[start + channel * inner]);
  });
}
