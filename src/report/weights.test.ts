import { expect, test } from "vitest";
import { options, selection } from "../../test/support/pruning.js";
import { floatTensor, fromFloat32, type Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, addInitializer, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { prune } from "../prune/prune.js";
import { layerScope } from "../prune/scopes/layer.js";
import { recordWeights } from "./weights.js";

/** An If with a MatMul in each branch, both with weights of the same name. */
function branched(): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", ["N", 2]);
  const branch = (name: string, weights: Tensor) => {
    const body = createSubgraph(model.graph, name);
    const inner = new Builder(body);
    const product = inner.emit("MatMul", [x, addInitializer(body, "w", weights)]);
    addGraphOutput(body, product);
    return attr.graph(body);
  };
  const condition = b.input("condition", "bool", []);
  const attributes = {
    then_branch: branch("then", floatTensor([2, 2], [0.5, 0, 1.5, 2.5])),
    else_branch: branch("else", floatTensor([2, 4], [1, 2, 3, 4, 5, 6, 7, 0])),
  };
  addGraphOutput(model.graph, b.emit("If", [condition], attributes));
  return model;
}

test("records each layer by its own weights, also where two bodies use one name", async () => {
  const { layers } = await prune(branched(), {
    ...options,
    recovery: null,
    evaluation: null,
    selection: { ...selection, scope: layerScope },
    goal: { sparsity: 0.5 },
  });
  const { layers: recorded, histograms } = recordWeights(layers);
  expect(recorded).toEqual([
    { name: "w", dims: [2, 2], size: 4, zerosBefore: 1, zerosAfter: 2 },
    { name: "w", dims: [2, 4], size: 8, zerosBefore: 1, zerosAfter: 4 },
  ]);
  expect([histograms.before.zeros, histograms.after.zeros]).toEqual([2, 6]);
  const count = ({ counts }: { counts: readonly number[] }) => counts.reduce((a, b) => a + b);
  expect([count(histograms.before), count(histograms.after)]).toEqual([10, 6]);
});

test("counts the values of float16, and no others than the layers'", () => {
  const half = (...values: number[]) => fromFloat32("float16", [values.length], Float32Array.from(values));
  const layer = { name: "h", dims: [3], size: 3, zerosBefore: 1, zerosAfter: 2 };
  const { layers, histograms } = recordWeights([{ ...layer, before: half(0.5, 0, 1), after: half(-0, 0, 1) }]);
  expect(layers).toEqual([layer]);
  expect([histograms.before.zeros, histograms.after.zeros, histograms.after.limit]).toEqual([1, 2, 1]);
});
