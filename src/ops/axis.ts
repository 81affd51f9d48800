import type { Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";

/** An axis of a value, or one that a node keeps to itself (the groups of a Conv, the gates of an LSTM). */
export interface Axis {
  readonly size: number;
  /** For messages: `axis 1 of 'conv1.weight'`. */
  readonly name: string;
}

/** The axes of every value that the trace shows, each made once. */
export class AxisTable {
  readonly #trace: Trace;
  readonly #axes = new Map<Value, readonly Axis[]>();

  constructor(trace: Trace) {
    this.#trace = trace;
  }

  /** Empty for a value that the trace does not show. */
  of(value: Value): readonly Axis[] {
    let axes = this.#axes.get(value);
    if (!axes) {
      const dims = this.#trace.has(value) ? this.#trace.dims(value) : [];
      axes = dims.map((size, axis) => ({ size, name: `axis ${axis} of '${value.name}'` }));
      this.#axes.set(value, axes);
    }
    return axes;
  }

  /** Every value asked for so far, with its axes. */
  entries(): Iterable<[Value, readonly Axis[]]> {
    return this.#axes;
  }
}
