import { describe, expect, it } from "vitest";
import { type Random, randomStream } from "../../src/base/random.js";
import { floatTensor, sizeOf, toFloat32 } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import type { Builder } from "../../src/graph/builder.js";
import { addGraphOutput, removeGraphInput, replaceUses } from "../../src/graph/edit.js";
import type { Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { allCases } from "../../src/ops/all.cases.js";
import { nameOf } from "../../src/ops/define.js";
import { buildCase, type OpCase } from "../../src/ops/op.cases.js";
import { recurrentVariants } from "../../src/ops/recurrent.cases.js";
import { allOps } from "../../src/ops/registry.js";
import { cut } from "../../src/prune/structured/cut.js";
import { type Group, type Grouping, groupsOf, type Wish } from "../../src/prune/structured/groups.js";
import { prepareForCuts, traceSizes } from "../../src/prune/structured/prepare.js";
import { verifyCut } from "../../src/prune/structured/verify.js";
import { nodeEngine } from "../../src/run/node.js";
import type { Tensors } from "../../src/run/session.js";
import { traceModel } from "../../src/run/trace.js";
import { someOf } from "../support/prove-cut.js";

// Every coupling rule: each case's operator stands between linear layers, one before each axis of its inputs and one
// behind each axis of its outputs, so that every axis may lose positions as far as the operator lets it. Then the cut
// network must compute what the masked one does.
const seed = 40;

/** Sizes to draw the inputs of an operator from, where not any number will do. */
const ranges: Record<string, readonly [number, number]> = {
  Asin: [0.1, 0.2],
  Acos: [0.1, 0.2],
  Atanh: [0.1, 0.2],
  Acosh: [4, 8],
  // As many elements each time.
  Range: [0.6, 0.63],
};

/** ONNX's shape inference gives these another size than onnxruntime computes, so that no layer can follow. */
const misinferred = /^(Max|Average|Lp)Pool: ceil_mode, last window would start in the padding/;

/** Cases in which no axis can lose anything: all are reduced, padded by copies, read by data, or of size 1. */
const nothing = new Set([
  "BatchNormalization: batch statistics, momentum 0",
  "BatchNormalization: batch statistics, momentum 0.9",
  "BatchNormalization: batch statistics, momentum 1",
  "com.microsoft.EmbedLayerNormalization: words, positions and segments",
  "Pad: constant: negative pads cut",
  "Pad: reflect: as far as it goes",
  "Pad: edge: cut at both ends",
  "MaxPool: the largest number wins in four windows, its tensor is read elsewhere too",
  "MaxUnpool: to dims that a pooling with a remainder had",
  "ScatterElements: mul where some factors are 0",
  "Reshape: to rank 0",
  "Reshape: from rank 0",
  "Reshape: allowzero without zeros",
  "Unsqueeze: [], axes [0]",
  "Slice: steps that leave a remainder",
  "Expand: [] by [2,2]",
  "Softmax: [6], axis -1",
  "LogSoftmax: [6], axis -1",
]);
const reducesAll =
  /^Reduce(Mean|LogSumExp|Max|Min|Prod|LogSum): (all axes|no axes in the list means all|a tensor read twice)/;
const opaque = new Set(allOps.filter(({ coupling }) => coupling.opaque).map(nameOf));
const frozen = (label: string) =>
  opaque.has(label.slice(0, label.indexOf(":"))) ||
  nothing.has(label) ||
  reducesAll.test(label) ||
  misinferred.test(label) ||
  label.endsWith(": two numbers");

/** Operators that take a mean, a norm or the like over an axis, which is cut only where units of width are asked for. */
const statistical = new Set([
  "LayerNormalization",
  "RMSNormalization",
  "SimplifiedLayerNormalization",
  "com.microsoft.SkipLayerNormalization",
  "com.microsoft.SkipSimplifiedLayerNormalization",
  "com.microsoft.EmbedLayerNormalization",
  "LpNormalization",
  "MeanVarianceNormalization",
  "ReduceMean",
]);

const casesOf = (ops: (op: string) => boolean) =>
  [...allCases, ...recurrentVariants].filter(({ op }) => ops(op)).map((c) => [`${c.op}: ${c.name}`, c] as const);

describe("cut and masked networks are the same", () => {
  it.each(casesOf(() => true))("%s", async (label, testCase) => {
    const { grouping, feeds } = await surround(testCase);
    expect(grouping.sets.length > 0, "some axis can be cut").toBe(!frozen(label));
    expect(grouping.statistics.length === 0 || statistical.has(testCase.op), "it is listed above").toBe(true);
    for (const share of [0.3, 0.6]) {
      const removed = someOf(grouping, share, randomStream(seed, "cut", label, share));
      expect(removed.size > 0, "something is removed").toBe(!frozen(label));
      await prove(grouping, removed, feeds);
    }
    // What is no number on both sides would prove nothing.
    const session = await nodeEngine.load(modelBytes(grouping.model), { optimization: "disabled" });
    for (const tensor of Object.values(await session.run(feeds))) {
      expect(toFloat32(tensor).every(Number.isFinite), `seed ${seed}: finite outputs`).toBe(true);
    }
    await session.release();
  });

  it.each(casesOf((op) => statistical.has(op)))("%s, with its width", async (label, testCase) => {
    const { grouping, feeds } = await surround(testCase, ["width"]);
    const unitsOf = (groups: Iterable<Group>) => [...groups].map(({ unit }) => unit);
    const without = /^ReduceMean: (no axes in the list means none|an axis of size 1)/.test(label);
    expect(unitsOf(grouping.groups).includes("width"), "its width can be cut").toBe(!without);
    for (const share of [0.3, 0.6]) {
      const removed = someOf(grouping, share, randomStream(seed, "cut", label, share));
      expect(unitsOf(removed).includes("width"), "width is removed").toBe(!without);
      await prove(grouping, removed, feeds);
    }
  });

  it("has a case for every operator that lets an axis be cut", () => {
    const covered = new Set(allCases.map((c) => c.op));
    const missing = allOps.filter((op) => !op.coupling.opaque && !covered.has(nameOf(op))).map(nameOf);
    expect(missing).toEqual([]);
  });
});

async function prove(grouping: Grouping, removed: ReadonlySet<Group>, feeds: Tensors): Promise<void> {
  const proof = await verifyCut(grouping, removed, feeds, nodeEngine, cut(grouping, removed));
  expect(proof.chosen, `seed ${seed}`).toEqual([]);
  expect(Object.values(proof.differences).length).toBeGreaterThan(0);
}

async function surround(
  testCase: OpCase,
  prefer: readonly Wish[] = [],
): Promise<{ grouping: Grouping; feeds: Tensors }> {
  const { model, builder, outputs } = buildCase(testCase, seed);
  const trace = await traceModel(model, builder.feeds, nodeEngine);
  const random = randomStream(seed, "layers", testCase.op, testCase.name);
  const feeds: Tensors = { ...builder.feeds };
  const [low, high] = ranges[testCase.op] ?? [0.5, 1];
  for (const value of builder.differentiable) {
    const dims = trace.dims(value);
    delete feeds[value.name];
    const small = dims.map((size) => (size > 1 ? 2 : 1));
    const source = builder.input(`from/${value.name}`, "float", small);
    feeds[source.name] = floatTensor(
      small,
      Float32Array.from({ length: sizeOf(small) }, () => low + (high - low) * random.uniform()),
    );
    let tensor: Value = source;
    for (const [axis, size] of dims.entries()) {
      if (size > 1) tensor = mixAxis(builder, tensor, dims.length, axis, 2, size, random);
    }
    replaceUses(value, tensor);
    removeGraphInput(model.graph, value);
  }
  for (const output of outputs) {
    let tensor = output;
    const dims = misinferred.test(`${testCase.op}: ${testCase.name}`) ? [] : trace.dims(output);
    for (const [axis, size] of dims.entries()) {
      if (size > 1) tensor = mixAxis(builder, tensor, dims.length, axis, size, 2, random);
    }
    addGraphOutput(model.graph, tensor);
  }
  const prepared = prepareForCuts(model);
  return { grouping: groupsOf(prepared, await traceSizes(prepared.model, [() => feeds], nodeEngine), prefer), feeds };
}

/** A linear layer along one axis, with weights around 1 / inputs, so that values stay where they were. */
function mixAxis(
  b: Builder,
  value: Value,
  rank: number,
  axis: number,
  from: number,
  to: number,
  random: Random,
): Value {
  const perm = Array.from({ length: rank }, (_, i) => i);
  perm.push(...perm.splice(axis, 1));
  const back = perm.map((_, i) => perm.indexOf(i));
  const weights = Float32Array.from({ length: from * to }, () => (0.5 + random.uniform()) / from);
  const last = b.emit("Transpose", [value], { perm: attr.ints(perm) });
  const mixed = b.emit("MatMul", [last, b.constant(floatTensor([from, to], weights))]);
  return b.emit("Transpose", [mixed], { perm: attr.ints(back) });
}
