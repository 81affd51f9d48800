import { expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { someOf } from "../../../test/support/prove-cut.js";
import { expectClose, runModel } from "../../../test/support/run-model.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, type Tensor, toFloat32, toNumbers } from "../../base/tensor.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { setInput } from "../../graph/edit.js";
import type { Model, Node } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import { cut } from "./cut.js";
import { type AxisReport, type CutReport, reportCut } from "./cut-report.js";

const seed = 63;

/** Three layers that store their biases once; the last one gives the output and loses none. */
function sharing(): Model {
  const net = new Net(seed);
  const bias = net.weight("bias", [8]);
  let x = net.input([4, 5]);
  for (const [name, inputs] of [
    ["a", 5],
    ["b", 8],
    ["c", 8],
  ] as const) {
    x = net.b.emit("Add", [net.b.emit("MatMul", [x, net.weight(name, [inputs, 8])]), bias]);
    if (name !== "c") x = net.b.emit("Relu", [x]);
  }
  return net.output(x);
}

function zeroed(tensor: Tensor, axes: readonly AxisReport[]): Tensor {
  const values = toFloat32(tensor).slice();
  for (const { axis, size, keep } of axes) {
    const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
    for (const i of values.keys()) if (!keep.includes(Math.floor(i / inner) % size)) values[i] = 0;
  }
  return floatTensor(tensor.dims, values);
}

/** From nothing but the original and what the report says. */
function masked(original: Model, { tensors, copies, readers }: CutReport): Model {
  const { model } = cloneModel(original);
  const b = new Builder(model.graph);
  const isRead = (name: string, node: Node) => readers[name]?.includes(node.outputs[0]?.name ?? "") ?? true;
  for (const node of [...model.graph.nodes]) {
    for (const [index, input] of node.inputs.entries()) {
      const tensor = input && constantOf(input);
      const entry = Object.keys(tensors).find((name) => (copies[name] ?? name) === input?.name && isRead(name, node));
      if (tensor && entry !== undefined) setInput(node, index, b.constant(zeroed(tensor, tensors[entry])));
    }
  }
  return model;
}

it("is enough to mask the original, also where layers share a vector", async () => {
  const original = sharing();
  const grouping = await buildGroups(original, { engine: nodeEngine });
  const random = randomStream(seed, "cut");
  const removed = someOf(grouping, 0.5, random);
  const report = reportCut(grouping, removed);
  // Of three readers two lost something.
  expect(Object.values(report.readers).map(({ length }) => length)).toEqual([1, 1]);
  const input = floatTensor(
    [4, 5],
    Float32Array.from({ length: 20 }, () => random.normal()),
  );
  const [whole, least] = [
    await runModel(masked(original, report), { input }),
    await runModel(cut(grouping, removed), { input }),
  ];
  const [name] = Object.keys(least);
  expectClose(toNumbers(least[name]), toNumbers(whole[name]), 1e-5);
});
