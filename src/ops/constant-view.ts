import { dtypeOfCode, isFloat } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import type { Node, Value } from "../graph/ir.js";
import { handsOn } from "./constancy.js";

// Exporters store a weight as they have it and let Transpose, Reshape or Cast bring it into the form that the operator
// wants. All of them move whole elements and keep zeros, so that the constant itself can be pruned and trained.

/** `size` positions whose elements lie `stride` apart in the constant. */
interface Stretch {
  size: number;
  stride: number;
}

/** An axis: usually one stretch. Several, outermost first, where a Reshape put together what lies apart. */
type ViewAxis = readonly Stretch[];

/** A constant as it arrives at the end of a chain of operators that rearrange or convert its elements. */
export interface ConstantView {
  source: Value;
  tensor: Tensor;
  /** Of the value at the end of the chain. */
  axes: readonly ViewAxis[];
}

/** The constant that a value rearranges or converts, or is itself; null for everything else. */
export function sourceOf(value: Value | null): Value | null {
  return chainTo(value, keepsElements)?.source ?? null;
}

/** The same with its axes; null also where a Reshape does not say its dims, or cuts across what lies apart. */
export function viewOf(value: Value | null): ConstantView | null {
  return viewAlong(chainTo(value, keepsElements));
}

/** As `sourceOf`, but also of integers that a DequantizeLinear turns into the numbers they stand for. */
export function storedSourceOf(value: Value | null): Value | null {
  return chainTo(value, keepsPlaces)?.source ?? null;
}

/** As `viewOf`, but also of integers that a DequantizeLinear turns into the numbers they stand for. */
export function storedViewOf(value: Value | null): ConstantView | null {
  return viewAlong(chainTo(value, keepsPlaces));
}

/** Where the elements of a constant are read in the end, behind operators that rearrange, convert or dequantize them. */
export function* readersOf(constant: Value): Generator<{ node: Node; input: number }> {
  for (const node of constant.uses) {
    for (const [input, value] of node.inputs.entries()) {
      if (value !== constant) continue;
      const [output] = node.outputs;
      if (input === 0 && output && keepsPlaces(node)) yield* readersOf(output);
      else yield { node, input };
    }
  }
}

/** Whether the positions along an axis of a view are positions along this axis of the constant, with or without others. */
export function runsAlong({ tensor, axes }: ConstantView, viewAxis: number, axis: number): boolean {
  const inner = product(tensor.dims.slice(axis + 1));
  const whole = inner * tensor.dims[axis];
  return (axes[viewAxis] ?? []).some(({ size, stride }) => size > 1 && stride < whole && stride * size > inner);
}

function viewAlong(chain: Chain | null): ConstantView | null {
  const tensor = constantOf(chain?.source ?? null);
  if (!chain || !tensor) return null;
  let axes: readonly ViewAxis[] | null = tensor.dims.map((size, axis) => [
    { size, stride: product(tensor.dims.slice(axis + 1)) },
  ]);
  for (const node of chain.nodes) axes = axes && (rearrangements[node.type]?.(node, axes) ?? null);
  return axes && { source: chain.source, tensor, axes };
}

/** Number of axes at the end of the chain; 0 for what is no constant. */
export function constantRank(value: Value | null): number {
  return viewOf(value)?.axes.length ?? 0;
}

/**
 * The dims that say how the elements lie in memory, such that each axis of the view is one of them: those of the
 * constant itself, where no Reshape came between. An axis of several stretches is taken for its innermost one, whose
 * positions are the neighbours for whoever reads along the axis.
 * Example: [5, 24] reshaped to [5, 4, 3, 2] is [5, 4, 3, 2]; [6, 8] transposed is [6, 8], with the axes 1 and 0.
 */
export function inMemory({ axes }: ConstantView): { dims: readonly number[]; axes: readonly number[] } {
  const stretches = axes.map((axis) => (axis.length > 0 ? axis : [{ size: 1, stride: 1 }]));
  const sorted = stretches.flat().sort((a, b) => b.stride - a.stride || b.size - a.size);
  return { dims: sorted.map(({ size }) => size), axes: stretches.map((axis) => sorted.indexOf(axis[axis.length - 1])) };
}

/** From a constant on, in the order in which it runs. */
interface Chain {
  source: Value;
  nodes: readonly Node[];
}

function chainTo(value: Value | null, passes: (node: Node) => boolean): Chain | null {
  const nodes: Node[] = [];
  for (let at = value; at; ) {
    if (constantOf(at)) return { source: at, nodes: nodes.reverse() };
    const node: Node | null = at.producer;
    if (!node || node.outputs[0] !== at || !passes(node)) return null;
    nodes.push(node);
    at = node.inputs[0] ?? null;
  }
  return null;
}

/** Whether the output has the elements of the first input, in another order or another float type. */
function keepsElements(node: Node): boolean {
  if (node.domain !== "" || !Object.hasOwn(rearrangements, node.type) || node.type === "DequantizeLinear") return false;
  if (node.type === "Dropout") return handsOn(node);
  if (node.type !== "Cast") return true;
  const to = dtypeOfCode(node.int("to", 0));
  return to !== undefined && isFloat(to);
}

/** Whether each element of the output stands for the element of the first input at its place in the same order. */
export function keepsPlaces(node: Node): boolean {
  return keepsElements(node) || (node.domain === "" && node.type === "DequantizeLinear");
}

const same = (_: Node, axes: readonly ViewAxis[]) => axes;

const rearrangements: Record<
  string,
  ((node: Node, axes: readonly ViewAxis[]) => readonly ViewAxis[] | null) | undefined
> = {
  Identity: same,
  Dropout: same,
  Cast: same,
  DequantizeLinear: same,
  Transpose(node, axes) {
    const perm = node.attribute("perm", "ints") ?? axes.map((_, axis) => axes.length - 1 - axis);
    return perm.length === axes.length && perm.every((axis) => axis in axes) ? perm.map((axis) => axes[axis]) : null;
  },
  Reshape(node, axes) {
    const copied = node.int("allowzero", 0) === 0;
    const dims = intsOf(node, "shape")?.map((dim, i) => (dim === 0 && copied ? sizeOfAxis(axes[i] ?? []) : dim));
    if (!dims) return null;
    const open = product(axes.map(sizeOfAxis)) / product(dims.filter((dim) => dim !== -1));
    const settled = dims.map((dim) => (dim === -1 ? open : dim));
    return split(axes, settled);
  },
  Flatten(node, axes) {
    const axis = node.int("axis", 1);
    const at = axis < 0 ? axis + axes.length : axis;
    const size = (part: readonly ViewAxis[]) => product(part.map(sizeOfAxis));
    return split(axes, [size(axes.slice(0, at)), size(axes.slice(at))]);
  },
  Squeeze(node, axes) {
    const named = intsOf(node, "axes")?.map((axis) => (axis < 0 ? axis + axes.length : axis));
    if (!named && node.inputs[1]) return null;
    return axes.filter((axis, i) => (named ? !named.includes(i) : sizeOfAxis(axis) !== 1));
  },
  Unsqueeze(node, axes) {
    const named = intsOf(node, "axes");
    if (!named) return null;
    const rank = axes.length + named.length;
    const added = new Set(named.map((axis) => (axis < 0 ? axis + rank : axis)));
    const rest = [...axes];
    return Array.from({ length: rank }, (_, i) => (added.has(i) ? [] : (rest.shift() ?? [])));
  },
};

/** What a node says in its second input, or in an attribute as older opsets do; null where neither is known. */
function intsOf(node: Node, attribute: string): readonly number[] | null {
  const input = node.inputs[1];
  if (!input) return node.attribute(attribute, "ints") ?? null;
  const tensor = constantOf(input);
  return tensor && Array.from(tensor.array, Number);
}

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1);

const sizeOfAxis = (axis: ViewAxis) => product(axis.map(({ size }) => size));

/** The same elements in the same order under other dims; null where a dim would cut a stretch into unequal parts. */
function split(axes: readonly ViewAxis[], dims: readonly number[]): ViewAxis[] | null {
  const rest = join(axes.flat());
  const result: ViewAxis[] = [];
  for (const dim of dims) {
    const axis: Stretch[] = [];
    for (let left = dim; left > 1; ) {
      const next = rest.shift();
      if (!next) return null;
      const { size, stride } = next;
      const taken = Math.min(left, size);
      if (left % taken !== 0 || size % taken !== 0) return null;
      if (size > taken) rest.unshift({ size: size / taken, stride });
      axis.push({ size: taken, stride: stride * (size / taken) });
      left /= taken;
    }
    result.push(axis);
  }
  return rest.length === 0 ? result : null;
}

/** Stretches that follow each other in memory become one; those of one position say nothing. */
function join(stretches: readonly Stretch[]): Stretch[] {
  const joined: Stretch[] = [];
  for (const { size, stride } of stretches) {
    const last = joined.at(-1);
    if (size === 1) continue;
    if (last?.stride === size * stride) joined.splice(-1, 1, { size: last.size * size, stride });
    else joined.push({ size, stride });
  }
  return joined;
}
