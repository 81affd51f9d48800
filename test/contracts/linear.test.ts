import { describe, expect, it } from "vitest";
import { floatTensor, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { constantOf } from "../../src/graph/constant.js";
import { addGraphOutput, removeGraphInput, replaceUses, setConstant } from "../../src/graph/edit.js";
import { Model, type Node } from "../../src/graph/ir.js";
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
    // What has its weights on the other side, and products of more than a matrix, or of a tensor with itself.
    const odd = [...noLayer].filter((label) => !/^MatMul|one tensor at several inputs|at 0$/.test(label));
    expect(odd).toEqual([]);
  });
});

async function check(testCase: OpCase, side: number): Promise<boolean> {
  const { model, builder, outputs } = buildCase(testCase, seed);
  const { graph } = model;
  const feeds: Tensors = { ...builder.feeds };
  const node = [...graph.nodes].find((each) => each.type === testCase.op);
  if (!node) throw new Error("the case has no such node");
  // Weights and bias, of which only recurrent nodes have a third.
  for (const index of [side, 2, 3]) {
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
  if (map.outputAxis === null) {
    await checkInside(node, map, result);
    return true;
  }
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

/** A node that is fed the products, with weights that hand them on and no bias to add, gives what it gave before. */
async function checkInside(node: Node, map: LinearMap, values: Tensors): Promise<void> {
  const tensors = node.inputs.map((value) => value && (constantOf(value) ?? values[value.name]));
  const [x, w, bias] = [tensors[map.data], tensors[map.weight], tensors[map.bias ?? node.inputs.length]];
  if (!x || !w || !bias) throw new Error("the cases have biases");
  const [directions, rows] = w.dims;
  const y = matrix(x, map.dataAxis).map((row) =>
    Array.from({ length: map.outputs }, (_, o) =>
      row.reduce((sum, value, i) => sum + value * toFloat32(w)[map.at(0, 0, i, o)], toFloat32(bias)[map.biasAt(o)]),
    ),
  );
  const rest = toFloat32(bias).slice();
  for (let o = 0; o < map.outputs; o++) rest[map.biasAt(o)] = 0;
  const handOn = Float32Array.from({ length: map.outputs ** 2 }, (_, i) => Number(i % (map.outputs + 1) === 0));
  tensors[map.data] = floatTensor([...x.dims.slice(0, 2), map.outputs], y.flat());
  tensors[map.weight] = floatTensor([directions, rows, map.outputs], handOn);
  if (map.bias !== null) tensors[map.bias] = floatTensor(bias.dims, rest);
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const outputs = b.emitMany(
    node.type,
    tensors.map((tensor) => tensor && b.constant(tensor)),
    node.outputs.length,
    Object.fromEntries(node.attributes),
  );
  for (const output of outputs) addGraphOutput(model.graph, output);
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const found = await session.run({});
  await session.release();
  for (const [i, output] of outputs.entries()) {
    const expected = node.outputs[i];
    if (!expected || !values[expected.name]) continue;
    for (const [k, value] of toFloat32(values[expected.name]).entries()) {
      expect(Math.abs(toFloat32(found[output.name])[k] - value), `seed ${seed}: ${k}`).toBeLessThan(1e-5);
    }
  }
}

/** A row for each position of all axes but one. */
function matrix(tensor: Tensor, axis: number): number[][] {
  const { dims } = tensor;
  const values = toFloat32(tensor);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = dims.slice(0, axis).reduce((a, b) => a * b, 1);
  return Array.from({ length: outer * inner }, (_, row) => {
    const start = Math.floor(row / inner) * dims[axis] * inner + (row % inner);
    return Array.from({ length: dims[axis] }, (_, channel) => values[start + channel * inner]);
  });
}
