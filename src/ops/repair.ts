import { EspalierError } from "../base/errors.js";
import { intTensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { setAttribute, setGraphOutputs, setInput } from "../graph/edit.js";
import type { Attribute, Node, Value } from "../graph/ir.js";

/** An axis before and after a cut. */
export interface AxisCut {
  before: number;
  /** The positions that stay, in order; null where nothing was taken out. */
  keep: readonly number[] | null;
}

/** What becomes of an element of an integer tensor: x -> x * times / over, or a number that replaces it. */
export type Correction = { times: number; over: number } | number;

/** What is known about the values of a model that is being cut. */
export interface CutFacts {
  axes(value: Value): readonly AxisCut[];
  /** The elements of an integer tensor before the cut, where the trace shows them. */
  ints(value: Value): readonly number[] | null;
  /** Says that `copy` has what `value` had before the cut. */
  standsFor(copy: Value, value: Value): void;
}

/** What a repair rule works with: one node of the cut model, and what was taken out of the axes around it. */
export class RepairContext {
  readonly node: Node;
  readonly builder: Builder;
  readonly #facts: CutFacts;

  constructor(node: Node, builder: Builder, facts: CutFacts) {
    this.node = node;
    this.builder = builder;
    this.#facts = facts;
  }

  input(index: number): readonly AxisCut[] {
    const value = this.node.inputs[index];
    return value ? this.#facts.axes(value) : [];
  }

  output(index: number): readonly AxisCut[] {
    const value = this.node.outputs[index];
    return value ? this.#facts.axes(value) : [];
  }

  /** What the elements of an integer input were before the cut, where the trace shows them. */
  ints(index: number): readonly number[] | null {
    const value = this.node.inputs[index];
    return value ? this.#facts.ints(value) : null;
  }

  setInt(name: string, value: number): void {
    this.set(name, attr.int(value));
  }

  set(name: string, value: Attribute): void {
    setAttribute(this.node, name, value);
  }

  /** The elements of an integer input, corrected; the others stay what they are, also where they are computed. */
  correctInput(index: number, corrections: ReadonlyMap<number, Correction>): void {
    const value = this.node.inputs[index];
    if (!value) throw new EspalierError("bad-model", `input ${index} is missing`, { who: this.node.label });
    if (corrections.size > 0) setInput(this.node, index, this.#corrected(value, corrections));
  }

  /** The elements of an integer output, corrected for everyone who reads it. */
  correctOutput(index: number, corrections: ReadonlyMap<number, Correction>): void {
    const value = this.node.outputs[index];
    if (!value || corrections.size === 0) return;
    const readers = [...value.uses];
    const corrected = this.#corrected(value, corrections);
    this.#facts.standsFor(corrected, value);
    for (const reader of readers) {
      for (const [i, input] of reader.inputs.entries()) if (input === value) setInput(reader, i, corrected);
    }
    // What the model itself gives keeps its name; a body's outputs count by their places.
    for (const body of [...value.returnedBy].filter(({ outer }) => outer)) {
      setGraphOutputs(
        body,
        body.outputs.map((output) => (output === value ? corrected : output)),
      );
    }
  }

  #corrected(value: Value, corrections: ReadonlyMap<number, Correction>): Value {
    const constant = constantOf(value);
    if (constant) {
      const elements = toNumbers(constant).map((x, i) => {
        const correction = corrections.get(i);
        if (correction === undefined) return x;
        return typeof correction === "number" ? correction : (x * correction.times) / correction.over;
      });
      return this.builder.constant(intTensor(elements, constant.dims), value.name);
    }
    const count = this.#facts.axes(value)[0]?.before ?? 1;
    const list = (of: (correction: Correction | undefined) => number) => {
      const elements = Array.from({ length: count }, (_, i) => of(corrections.get(i)));
      return this.builder.constant(intTensor(elements, this.#facts.axes(value).length === 0 ? [] : [count]));
    };
    const times = list((c) => (typeof c === "number" ? 0 : (c?.times ?? 1)));
    const over = list((c) => (typeof c === "object" ? c.over : 1));
    const fixed = list((c) => (typeof c === "number" ? c : 0));
    const scaled = this.builder.emit("Div", [this.builder.emit("Mul", [value, times]), over]);
    return this.builder.emit("Add", [scaled, fixed]);
  }

  /**
   * An input that lists the dims of the output: those of axes that were cut shrink with them. What stands for a dim (-1,
   * 0, a 1 that is broadcast) stays. A list shorter than the output is that of its last axes.
   */
  rescaleDims(index: number): void {
    const ints = this.ints(index);
    const corrections = new Map<number, Correction>();
    const axes = this.output(0);
    const shift = axes.length - (ints?.length ?? axes.length);
    for (const [axis, { before, keep }] of axes.entries()) {
      if (keep && ints?.[axis - shift] === before) corrections.set(axis - shift, { times: keep.length, over: before });
    }
    this.correctInput(index, corrections);
  }
}

export const sizeAfter = ({ before, keep }: AxisCut): number => keep?.length ?? before;
