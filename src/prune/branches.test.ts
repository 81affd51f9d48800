import { expect, it } from "vitest";
import { blobs } from "../../test/support/blobs.js";
import { options, recovery, selection, weights } from "../../test/support/pruning.js";
import { randomStream } from "../base/random.js";
import { floatTensor, Tensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, addInitializer, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { weightGradient } from "./criteria/weight-gradient.js";
import { prune } from "./prune.js";

const data = blobs(64, { dims: [16] });
const random = randomStream(3, "weights");
const uniform = (dims: readonly number[]) => {
  const size = dims.reduce((a, b) => a * b, 1);
  return floatTensor(
    dims,
    Float32Array.from({ length: size }, () => random.uniform() - 0.5),
  );
};
const inside = uniform([16, 16]);
const last = uniform([16, 4]);

/** An If whose condition is known, with weights in its branches, and a layer after it. */
function branched(): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("input", "float", ["N", 16]);
  const yes = b.constant(Tensor.fromArray("bool", [], Uint8Array.of(1)), "yes");
  const taken = createSubgraph(model.graph, "taken");
  addGraphOutput(taken, new Builder(taken).emit("MatMul", [x, addInitializer(taken, "inside", inside)]));
  const other = createSubgraph(model.graph, "other");
  addGraphOutput(other, new Builder(other).emit("MatMul", [x, addInitializer(other, "elsewhere", inside)]));
  const through = b.emit("If", [yes], { then_branch: attr.graph(taken), else_branch: attr.graph(other) });
  addGraphOutput(model.graph, b.emit("MatMul", [through, b.constant(last, "last")]));
  return model;
}

it.each([
  ["trained", { criterion: selection.criterion, epochs: 2 }],
  ["judged by gradients", { criterion: weightGradient, epochs: 0 }],
])(
  "weights in the branch that is taken go too, those in the other are left alone when they are %s",
  async (_, { criterion, epochs }) => {
    const { model, layers, untrained } = await prune(branched(), {
      ...options,
      selection: { ...selection, criterion },
      recovery: { ...recovery, data, epochs },
      evaluation: data,
      goal: { sparsity: 0.5 },
    });
    expect(untrained).toEqual(["elsewhere"]);
    expect(layers.map(({ name }) => name).sort()).toEqual(["inside", "last"]);
    expect(layers.reduce((sum, { zerosAfter }) => sum + zerosAfter, 0)).toBe(160);
    const node = [...model.graph.nodes].find(({ type }) => type === "If");
    const inBranch = (branch: string, name: string) => {
      const tensor = constantOf(node?.attribute(branch, "graph")?.find(name) ?? null);
      if (!tensor) throw new Error(`${branch} has no ${name}`);
      return toFloat32(tensor);
    };
    expect(inBranch("else_branch", "elsewhere")).toEqual(toFloat32(inside));
    const moved = (after: Float32Array, before: Tensor) =>
      after.filter((weight, i) => weight !== 0 && weight !== toFloat32(before)[i]).length;
    expect(moved(inBranch("then_branch", "inside"), inside) > 0).toBe(epochs > 0);
    expect(moved(weights(model, "last"), last) > 0).toBe(epochs > 0);
  },
);
