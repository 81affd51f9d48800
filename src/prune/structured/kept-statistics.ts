import type { DType } from "../../base/dtype.js";
import { fromFloat32 } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { addNode, detachOutput, setInput } from "../../graph/edit.js";
import type { Graph, Node, Value } from "../../graph/ir.js";
import type { Group, Grouping } from "./groups.js";

/**
 * Makes nodes take their statistics over the positions that stay: these are picked from what a node reads, and what it
 * gives of them is put back to their places, with 0 at the others. Of [1, 3, 8] with the positions 0 and 1 left, the
 * deviations from the mean are [-1, 1, 0].
 * @param copyOf the nodes of the network that is masked, by those of the grouping's model
 */
export function keepStatistics(grouping: Grouping, removed: ReadonlySet<Group>, copyOf: ReadonlyMap<Node, Node>): void {
  const pickers = new Map<Graph, Picker>();
  for (const { node, inputs, outputs } of grouping.statistics) {
    const copy = copyOf.get(node);
    if (!copy) continue;
    const picker = pickers.get(copy.graph) ?? new Picker(copy.graph);
    pickers.set(copy.graph, picker);
    const picksOf = (value: Value | null, axis: number): Picks | null => {
      const keep = value && grouping.keeps(value, removed)[axis];
      return keep && { axis, keep, dims: grouping.trace.dims(value), dtype: grouping.trace.dtype(value) };
    };
    for (const { index, axis } of inputs) {
      const picks = picksOf(node.inputs[index], axis);
      const source = copy.inputs[index];
      if (picks && source) setInput(copy, index, picker.pick(source, picks));
    }
    for (const { index, axis } of outputs) {
      const picks = picksOf(node.outputs[index], axis);
      if (picks) picker.putBack(copy, index, picks);
    }
  }
}

/** The positions of an axis that are picked; dims and type of the whole value. */
interface Picks {
  axis: number;
  keep: readonly number[];
  dims: readonly number[];
  dtype: DType;
}

/**
 * Picks positions by products with matrices of 0 and 1. Gather would do, were it not for float16: onnxruntime has no such
 * kernel for products, and computes a normalization between two of them in float32, but one behind a Gather in float16.
 * The masked network would be rounded where the cut one is not.
 */
class Picker {
  readonly #builder: Builder;
  readonly #matrices = new Map<string, Value>();

  constructor(graph: Graph) {
    this.#builder = new Builder(graph, "masked/");
  }

  pick(source: Value, picks: Picks): Value {
    return this.#multiply(source, picks, this.#matrix(picks, false), this.#builder.value("kept"));
  }

  /** An output of a node that now gives the kept positions alone: all that read it see 0 at the others. */
  putBack(node: Node, index: number, picks: Picks): void {
    const whole = detachOutput(node, index);
    this.#multiply(this.#builder.addOutput(node, index), picks, this.#matrix(picks, true), whole);
  }

  /** Along the axis, which is the last one meanwhile. */
  #multiply(x: Value, { axis, dims }: Picks, matrix: Value, output: Value): Value {
    const b = this.#builder;
    const last = dims.length - 1;
    if (axis === last) {
      addNode(b.graph, "MatMul", { inputs: [x, matrix], outputs: [output] });
      return output;
    }
    const order = dims.map((_, i) => (i === axis ? last : i === last ? axis : i));
    const attributes = { perm: attr.ints(order) };
    const product = b.emit("MatMul", [b.emit("Transpose", [x], attributes), matrix]);
    addNode(b.graph, "Transpose", { inputs: [product], outputs: [output], attributes });
    return output;
  }

  /** [positions, kept], or turned; the same one is stored once. */
  #matrix({ axis, keep, dims, dtype }: Picks, turned: boolean): Value {
    const size = dims[axis];
    const key = `${turned} ${dtype} ${size} ${keep}`;
    const known = this.#matrices.get(key);
    if (known) return known;
    const elements = new Float32Array(size * keep.length);
    for (const [k, position] of keep.entries()) elements[turned ? k * size + position : position * keep.length + k] = 1;
    const shape = turned ? [keep.length, size] : [size, keep.length];
    const matrix = this.#builder.constant(fromFloat32(dtype, shape, elements));
    this.#matrices.set(key, matrix);
    return matrix;
  }
}
