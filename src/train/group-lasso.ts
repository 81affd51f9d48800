import { floatTensor, intTensor, sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/ir.js";
import type { Slice } from "./layout.js";
import type { Optimizer, OptimizerStep } from "./optimizers.js";
import { splitUp } from "./unpack.js";

/** An axis of a trained tensor whose positions belong to groups; a group may have positions in several tensors. */
export interface GroupedAxis {
  axis: number;
  /** A number from 0 for each position; null where it belongs to no group. */
  groups: readonly (number | null)[];
}

/**
 * The optimizer, and after each of its steps a pull of whole groups of weights towards 0, which those that the loss does
 * not hold up reach. It is the proximal step of the penalty strength * sum_g sqrt(n_g) |w_g| over groups of n_g weights
 * (group lasso; Yuan and Lin, 2006; Wen et al., "Learning Structured Sparsity in Deep Neural Networks", 2016):
 *   w_g *= max(0, 1 - rate * strength * sqrt(n_g) / |w_g|),
 * by which the root mean square |w_g| / sqrt(n_g) of every group falls by the same rate * strength. It acts on the
 * weights and not on their gradient, as AdamW's decay does: Adam would make all gradients equally large. Since no step of
 * Adam's is much longer than the rate, a strength of 1 takes everything to 0.
 * Example: of [3, 4] the root mean square is 3.54. With rate * strength = 0.5 it becomes 3.04, and the group
 * [3, 4] * (1 - 0.5 * 1.41 / 5) = [2.58, 3.43].
 * @param axes by name of a tensor; others are left to the optimizer alone.
 */
export function withGroupLasso(
  optimizer: Optimizer,
  axes: ReadonlyMap<string, GroupedAxis>,
  strength: number,
): Optimizer {
  return {
    name: `${optimizer.name} with group lasso`,
    slots: optimizer.slots,
    scalars: (step, rate) => ({ ...optimizer.scalars(step, rate), pull: rate * strength }),
    emit(step) {
      const { parameters, slots } = optimizer.emit(step);
      return { parameters: emitPull(step, parameters, axes), slots };
    },
  };
}

/** One grouped tensor in the graph. */
interface Part {
  at: number;
  slice: Slice;
  /** As [elements before the axis, positions, elements after it]. */
  block: Value;
  /** Elements of each position. */
  each: number;
  /** By position; `none` for those of no group. */
  groups: readonly number[];
}

function emitPull(
  { builder: b, layout, scalar }: OptimizerStep,
  parameters: Value,
  axes: ReadonlyMap<string, GroupedAxis>,
): Value {
  // What belongs to no group is one more, which nothing pulls.
  const none = [...axes.values()]
    .flatMap(({ groups }) => groups)
    .reduce<number>((n, g) => Math.max(n, (g ?? -1) + 1), 0);
  const parts = splitUp(b, parameters, layout);
  const grouped = layout.slices.flatMap((slice, at): Part[] => {
    const of = axes.get(slice.name);
    if (!of) return [];
    const { axis, groups } = of;
    const dims = [sizeOf(slice.dims.slice(0, axis)), slice.dims[axis], sizeOf(slice.dims.slice(axis + 1))];
    const block = b.emit("Reshape", [parts[at], b.ints(dims)]);
    return [{ at, slice, block, each: dims[0] * dims[2], groups: groups.map((group) => group ?? none) }];
  });
  if (grouped.length === 0) return parameters;

  const factors = emitFactors(b, grouped, none, scalar("pull"));
  for (const { at, slice, block, groups } of grouped) {
    const own = b.emit("Gather", [factors, b.constant(intTensor(groups, [groups.length, 1]))]);
    parts[at] = b.emit("Reshape", [b.emit("Mul", [block, own]), b.ints([slice.size])]);
  }
  return joined(b, parts);
}

/** What each group's weights are multiplied by: max(r - pull, 0) / r for a root mean square of r; at the end a 1. */
function emitFactors(b: Builder, grouped: readonly Part[], none: number, pull: Value): Value {
  const counts = new Float32Array(none + 1);
  for (const { groups, each } of grouped) for (const group of groups) counts[group] += each;
  const squares = grouped.map(({ block }) =>
    b.emit("ReduceSum", [b.emit("Mul", [block, block]), b.ints([0, 2])], { keepdims: attr.int(0) }),
  );
  const places = b.constant(intTensor(grouped.flatMap(({ groups }) => groups)));
  const vector = (values: Float32Array) => b.constant(floatTensor([none + 1], values));
  const zeros = vector(new Float32Array(none + 1));
  const sums = b.emit("ScatterElements", [zeros, places, joined(b, squares)], { reduction: attr.string("add") });
  const means = b.emit("Div", [sums, vector(counts.map((count) => Math.max(1, count)))]);
  const roots = b.emit("Sqrt", [means]);
  const pulls = b.emit("Mul", [pull, vector(new Float32Array(none + 1).fill(1, 0, none))]);
  const left = b.emit("Max", [b.emit("Sub", [roots, pulls]), b.scalar(0)]);
  // Where all weights are 0 they stay it: 0 / 1e-30, not 0 / 0.
  return b.emit("Div", [left, b.emit("Max", [roots, b.scalar(1e-30)])]);
}

const joined = (b: Builder, parts: readonly Value[]): Value =>
  parts.length === 1 ? parts[0] : b.emit("Concat", parts, { axis: attr.int(0) });
