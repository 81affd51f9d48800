import { expect, test } from "vitest";
import { EspalierError } from "../base/errors.js";
import { floatTensor, fromFloat32 } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { type Graph, Model } from "../graph/ir.js";
import { recordWeights } from "./weights.js";

function graphWith(values: readonly number[], half: readonly number[]): Graph {
  const builder = new Builder(new Model(10, 21).graph);
  builder.constant(floatTensor([2, values.length / 2], values), "w");
  builder.constant(fromFloat32("float16", [half.length], Float32Array.from(half)), "h");
  return builder.graph;
}

test("counts zeros by layer, in float16 too, and lists layers in the given order", () => {
  const before = graphWith([1, 2, 3, 0], [0.5, 0]);
  const after = graphWith([0, 2, 0, 0], [-0, 0]);
  const { layers, histograms } = recordWeights(before, after, ["h", "w"]);
  expect(layers).toEqual([
    { name: "h", dims: [2], size: 2, zerosBefore: 1, zerosAfter: 2 },
    { name: "w", dims: [2, 2], size: 4, zerosBefore: 1, zerosAfter: 3 },
  ]);
  expect([histograms.before.zeros, histograms.after.zeros]).toEqual([2, 5]);
});

test("a name that the model lacks is named", () => {
  const graph = graphWith([1, 2], [1]);
  expect(() => recordWeights(graph, graph, ["w", "gone"])).toThrow(EspalierError);
  expect(() => recordWeights(graph, graph, ["w", "gone"])).toThrow(/^gone: /);
});
