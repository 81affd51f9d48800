import { quoted } from "../../../base/errors.js";
import { constantOf } from "../../../graph/constant.js";
import type { Model, Node, Value } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { ancestors, topologicalOrder } from "../../../graph/walk.js";
import { sourceOf } from "../../../ops/constant-view.js";
import type { LinearMap } from "../../../ops/linear-map.js";
import { opOf } from "../../../ops/registry.js";
import type { Group, Grouping } from "../groups.js";

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
  outputRank: number;
  /** Its output in the original, and the channels of it that stay; null where all do. */
  target: Value;
  keep: readonly number[] | null;
  /** Of one output of one group. */
  unknowns: number;
  /** Positions of the output in a batch. */
  rows: number;
}

export interface SkippedLayer {
  name: string;
  reason: string;
}

export interface Consumers {
  /** In the order in which they are computed. */
  found: Consumer[];
  skipped: SkippedLayer[];
}

/**
 * The layers of the cut network whose input lost positions.
 * @param trace of the cut network, on a batch.
 */
export function findConsumers(
  { grouping, removed, model }: { grouping: Grouping; removed: ReadonlySet<Group>; model: Model },
  trace: Trace,
): Consumers {
  const order = new Map(topologicalOrder(grouping.model.graph).map((node, i) => [node, i]));
  const place = (node: Node) => order.get(node) ?? 0;
  const nodes = new Set(
    grouping.contractions.flatMap(({ node, input, axis }) => {
      const value = node.inputs[input];
      return value && grouping.keeps(value, removed)[axis] ? [node] : [];
    }),
  );
  const consumers: Consumers = { found: [], skipped: [] };
  for (const node of [...nodes].sort((a, b) => place(a) - place(b))) {
    const result = consumerOf(node, grouping, removed, model, trace);
    if (!result) continue;
    if ("reason" in result) consumers.skipped.push(result);
    else consumers.found.push(result);
  }
  return consumers;
}

/** Null for a node without weights, and for one that lost whole groups: what it sums over is still all there. */
function consumerOf(
  before: Node,
  grouping: Grouping,
  removed: ReadonlySet<Group>,
  model: Model,
  trace: Trace,
): Consumer | SkippedLayer | null {
  const rank = (index: number) => {
    const value = before.inputs[index];
    return value ? grouping.trace.dims(value).length : 0;
  };
  const weights = opOf(before)?.weights(before, rank) ?? [];
  const holder = weights.find(({ input }) => constantOf(sourceOf(before.inputs[input] ?? null)));
  const [target] = before.outputs;
  const node = target && model.graph.values.get(target.name)?.producer;
  if (!holder || !target || !node) return null;
  const skip = (reason: string) => ({ name: weightName(before, holder.input), reason });
  const map = opOf(node)?.linear?.({
    node,
    inputDims: (index) => dimsOf(node.inputs[index], trace),
    outputDims: (index) => dimsOf(node.outputs[index], trace),
  });
  const [data, weight, output] = [node.inputs[map?.data ?? 0], node.inputs[map?.weight ?? 0], node.outputs[0]];
  if (!map || map.scale === 0 || !data || !weight || !output || !constantOf(weight)) {
    return skip(`${node.label} is not a plain product of its input and a constant`);
  }
  const lost = weights.some(({ input, inputAxis }) => {
    const value = before.inputs[input];
    return input === map.weight && value && grouping.keeps(value, removed)[inputAxis];
  });
  if (!lost) return null;
  if (weight.uses.size > 1) return skip("several nodes read its weights");
  const keeps = grouping.keeps(target, removed);
  if (keeps.some((keep, axis) => keep && axis !== map.outputAxis)) return skip("positions of its output are gone too");
  const own = map.bias === null ? null : (node.inputs[map.bias] ?? null);
  const bias = own && constantOf(own) && own.uses.size === 1 ? own : null;
  const unknowns = map.taps * map.inputs + (bias ? 1 : 0);
  const rows = trace.dims(output).reduce((a, b) => a * b, 1) / (map.groups * map.outputs);
  return {
    ...{ name: weight.name, map, data, weight, bias, output, target, unknowns, rows },
    dataRank: trace.dims(data).length,
    outputRank: trace.dims(output).length,
    keep: keeps[map.outputAxis],
  };
}

const weightName = (node: Node, input: number) => sourceOf(node.inputs[input] ?? null)?.name ?? quoted(node.label);

const dimsOf = (value: Value | null | undefined, trace: Trace) => (value ? trace.dims(value) : []);

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
