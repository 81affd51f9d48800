import { quoted } from "../../../base/errors.js";
import { sizeOf, type Tensor, toFloat32 } from "../../../base/tensor.js";
import { constantOf, constants } from "../../../graph/constant.js";
import type { Model, Node, Value } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { allGraphs, ancestors, topologicalOrder } from "../../../graph/walk.js";
import { sourceOf } from "../../../ops/constant-view.js";
import type { WeightInput } from "../../../ops/define.js";
import type { LinearMap } from "../../../ops/linear-map.js";
import { opOf } from "../../../ops/registry.js";
import type { Group, Grouping } from "../groups.js";
import type { Origin } from "./moved-weights.js";

/** A layer that sums over an axis which lost positions: in the cut network, and what it should give. */
export interface Consumer {
  /** Of its weights. */
  name: string;
  map: LinearMap;
  data: Value;
  weight: Value;
  /** Null where it has none of its own. */
  bias: Value | null;
  output: Value;
  dataRank: number;
  /** What it should give. */
  target: Target;
  /** Of one output of one group. */
  unknowns: number;
  /** Positions of the output in a batch. */
  rows: number;
}

/**
 * - output: what the node gives in the original; `keep` are the channels of it that stay, null where all do;
 * - product: where the node goes on with the product inside, data of the original times a matrix [inputs, outputs], which
 *   has the columns that stay.
 */
export type Target =
  | { kind: "output"; value: Value; rank: number; keep: readonly number[] | null }
  | { kind: "product"; data: Value; inputs: number; matrix: Float32Array };

export interface SkippedLayer {
  name: string;
  reason: string;
}

export interface Consumers {
  /** In the order in which they are computed. */
  found: Consumer[];
  skipped: SkippedLayer[];
}

/** A cut network as the examples run through it: see `takeBranches` and `settleMovedWeights`. */
export interface RefitNetworks {
  grouping: Grouping;
  removed: ReadonlySet<Group>;
  /** The cut network, its weights that are no constants in the file, and the network as it is there. */
  model: Model;
  origins: ReadonlyMap<string, Origin>;
  whole: Model;
  /** What it is to imitate. */
  imitated: Model;
}

/**
 * The layers of the cut network whose input lost positions.
 * @param trace of the cut network, on a batch.
 */
export function findConsumers(networks: RefitNetworks, trace: Trace): Consumers {
  const { grouping, removed, model } = networks;
  const order = new Map(topologicalOrder(model.graph).map((node, i) => [node, i]));
  const nodes = new Set(
    grouping.contractions.flatMap(({ node, input, axis }) => {
      const value = node.inputs[input];
      return value && grouping.keeps(value, removed)[axis] ? [node] : [];
    }),
  );
  const reads = new Map([...constants(networks.whole.graph)].map(({ value }) => [value.name, value.uses.size]));
  const found: { consumer: Consumer; place: number }[] = [];
  const skipped: SkippedLayer[] = [];
  for (const before of nodes) {
    const [output] = before.outputs.filter((each) => each !== null);
    const node = output && model.graph.values.get(output.name)?.producer;
    for (const weight of weightsOf(before, grouping)) {
      const value = before.inputs[weight.input];
      // A node that lost whole groups sums over all that it did.
      if (!value || !grouping.keeps(value, removed)[weight.inputAxis]) continue;
      if (node) {
        if (!sourceOf(value) && !constantOf(node.inputs[weight.input])) continue;
        const result = consumerOf(before, node, weight, networks, trace, reads);
        if (typeof result !== "string") found.push({ consumer: result, place: order.get(node) ?? 0 });
        else skipped.push({ name: nameOf(before, weight.input), reason: result });
      } else if (before.graph !== grouping.model.graph && isMadeOfConstants(value)) {
        skipped.push({ name: nameOf(before, weight.input), reason: whyUnseen(output, model) });
      }
    }
  }
  found.sort((a, b) => a.place - b.place);
  // A weight that branches share is that of one layer, written several times.
  const seen = new Set(found.map(({ consumer }) => consumer.name));
  const others = skipped.filter(({ name }) => !seen.has(name) && seen.add(name));
  return { found: found.map(({ consumer }) => consumer), skipped: others };
}

function weightsOf(node: Node, { trace }: Grouping): readonly WeightInput[] {
  const rank = (index: number) => {
    const value = node.inputs[index];
    return value ? trace.dims(value).length : 0;
  };
  return opOf(node)?.weights(node, rank) ?? [];
}

const isMadeOfConstants = (value: Value) =>
  [...ancestors([value])].every((each) => constantOf(each) !== null || each.producer !== null);

/** Why nothing is seen of what a node in a body gives. */
function whyUnseen(output: Value | undefined, { graph }: Model): string {
  const isThere = [...allGraphs(graph)].some(({ values }) => output && values.has(output.name));
  return isThere
    ? "it lies in a Loop or Scan, or in a branch that only some examples take"
    : "the examples do not take its branch";
}

/** Of the constant that holds the weight, the largest where it comes in pieces. */
function nameOf(node: Node, input: number): string {
  const value = node.inputs[input] ?? null;
  const source = sourceOf(value);
  if (source || !value) return source?.name ?? quoted(node.label);
  const size = (each: Value) => constantOf(each)?.size ?? 0;
  return [...ancestors([value])].reduce((a, b) => (size(b) > size(a) ? b : a)).name;
}

/**
 * The layer, or why it cannot be fitted.
 * @param reads by name of a constant in the file, how many nodes read it
 */
function consumerOf(
  before: Node,
  node: Node,
  { input, outputAxis }: WeightInput,
  networks: RefitNetworks,
  trace: Trace,
  reads: ReadonlyMap<string, number>,
): Consumer | string {
  const { grouping, removed, imitated, origins } = networks;
  const dims = (value: Value | null | undefined) => (value ? trace.dims(value) : []);
  const map = opOf(node)?.linear?.({
    node,
    inputDims: (index) => dims(node.inputs[index]),
    outputDims: (index) => dims(node.outputs[index]),
  });
  const [data, weight] = [node.inputs[map?.data ?? 0], node.inputs[map?.weight ?? 0]];
  const output = node.outputs.find((each) => each !== null);
  if (!map || map.scale === 0 || !data || !weight || !output || !constantOf(weight)) {
    return `${node.label} is not a plain product of its input and a constant`;
  }
  if (map.weight !== input) return `${node.label} multiplies with it what it gave a step before`;
  const isOwn = (value: Value) => value.uses.size === 1 && origins.get(value.name)?.isAlone !== false;
  if (!isOwn(weight)) return "several nodes read its weights";
  // A branch that is not taken may read the weights too, but has a copy of the bias, to which nothing would be added.
  const origin = origins.get(weight.name);
  const all = (origin?.sources ?? [weight.name]).reduce((sum, name) => sum + (reads.get(name) ?? 0), 0);
  const isShared = all > (origin?.reads ?? weight.uses.size);
  const own = map.bias === null || isShared ? null : (node.inputs[map.bias] ?? null);
  const bias = own && constantOf(own) && isOwn(own) ? own : null;
  const unknowns = map.taps * map.inputs + (bias ? 1 : 0);
  const layer = { name: nameOf(before, input), map, data, weight, bias, output, unknowns, dataRank: dims(data).length };
  if (map.outputAxis === null) {
    const like = imitated.graph.values.get(output.name)?.producer;
    const original = like?.inputs[map.data];
    const keep = grouping.keeps(before.inputs[input] ?? weight, removed)[outputAxis];
    const matrix = productMatrix(constantOf(like?.inputs[map.weight] ?? null), keep);
    if (!original || !matrix) return `${node.label} is not a plain product in the original`;
    const rows = sizeOf(dims(data)) / map.inputs;
    return { ...layer, rows, target: { kind: "product", data: original, ...matrix } };
  }
  const value = before.outputs[0] ?? output;
  const keeps = grouping.keeps(value, removed);
  if (keeps.some((keep, axis) => keep && axis !== map.outputAxis)) return "positions of its output are gone too";
  const rows = sizeOf(dims(output)) / (map.groups * map.outputs);
  const target = { kind: "output", value, rank: dims(output).length, keep: keeps[map.outputAxis] } as const;
  return { ...layer, rows, target };
}

/**
 * Weights [..., rows, inputs] as a matrix [inputs, outputs] with the rows that stay of each block.
 * Example: of [2, 12, 5] with the rows 0, 1, 4, 5, 8, 9 it is [5, 12].
 */
function productMatrix(tensor: Tensor | null, keep: readonly number[] | null) {
  if (!tensor) return null;
  const [inputs, rows] = [tensor.dims[tensor.dims.length - 1], tensor.dims[tensor.dims.length - 2]];
  const weights = toFloat32(tensor);
  const kept = new Set(keep ?? Array.from({ length: rows }, (_, i) => i));
  const columns = Array.from({ length: weights.length / inputs }, (_, i) => i).filter((i) => kept.has(i % rows));
  const matrix = new Float32Array(inputs * columns.length);
  for (let i = 0; i < inputs; i++) {
    for (const [o, column] of columns.entries()) matrix[i * columns.length + o] = weights[column * inputs + i];
  }
  return { inputs, matrix };
}

/**
 * Puts layers that do not depend on each other together, so that one pass over the data serves them all. A set comes
 * after all sets that one of its layers depends on.
 * @param fits whether a layer may still be added to a set.
 */
export function passesOf(
  consumers: readonly Consumer[],
  fits: (set: readonly Consumer[], next: Consumer) => boolean,
): Consumer[][] {
  const depths = new Map<Consumer, number>();
  for (const consumer of consumers) {
    const behind = ancestors([consumer.data]);
    let depth = 0;
    for (const [earlier, its] of depths) if (behind.has(earlier.output)) depth = Math.max(depth, its + 1);
    depths.set(consumer, depth);
  }
  const passes: Consumer[][] = [];
  const deepest = Math.max(-1, ...depths.values());
  for (let depth = 0; depth <= deepest; depth++) {
    let set: Consumer[] = [];
    for (const [consumer, its] of depths) {
      if (its !== depth) continue;
      if (set.length === 0 || !fits(set, consumer)) {
        set = [];
        passes.push(set);
      }
      set.push(consumer);
    }
  }
  return passes;
}
