import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { rule } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import { type Activation, activationsOf } from "./recurrent-activations.js";
import { zeros } from "./sample.js";

// Names of sizes: T steps, N examples, I inputs, H hidden units, G gates.

/** What one direction of a recurrent node does, its steps in the order in which they are taken. */
export interface Direction {
  steps: number;
  batch: number;
  hidden: number;
  /** R [G H, H]. */
  r: Value;
  /** The biases of W and of R, each [G H]; null where there are none. */
  biases: readonly [Value, Value] | null;
  /** X W^T [T, N, G H]. */
  products: Value;
  /** The state before each step [T, N, H], and the one at the start [1, N, H]. */
  before: Value;
  /** The cell at the start [1, N, H], of an LSTM. */
  cell: Value;
  /** Peepholes [3 H]; null where there are none. */
  peepholes: Value | null;
  activations: readonly Activation[];
  /** Of each step [1, N, 1], 1 where the example still lasts; null where all last to the end. */
  lasts: readonly Value[] | null;
}

/** Gradients of the state and of the cell [1, N, H] after a step; the cell's is null but for an LSTM. */
export interface Carried {
  state: Value;
  cell: Value | null;
}

/** What a step hands back. */
export interface Stepped extends Carried {
  /** Of what flows into the gates from the inputs [1, N, G H], and from the state where that differs. */
  gates: Value;
  fromState?: Value;
}

/** The steps of one kind of recurrent node, of one direction. */
export interface Backward {
  /** What R multiplies, all steps [T, N, H], by gate; one for all gates alike. */
  read: readonly Value[];
  step(carried: Carried, t: number): Stepped;
  /** Of the peepholes [3 H], given the gradients of the gates [T, N, G H]. */
  peepholes?(gates: Value): Value | null;
}

/** A kind of recurrent node. */
export interface RecurrentKind {
  /** G */
  gates: number;
  /** Activations of one direction where a node does not name them. */
  activations: readonly string[];
  hasCell: boolean;
  backward(g: GradientContext, of: Direction): Backward;
}

/**
 * The gradient of a recurrent node, step by step from the last to the first (Werbos, "Backpropagation through time", 1990).
 * Only what one step hands to the one before it is computed in turn. All gates are computed at once from the states that
 * the node gave, and the gradients of W, R and X come from one product each over all steps.
 */
export const recurrentGradient = (kind: RecurrentKind) =>
  rule((g) => {
    const { node } = g;
    for (const [name, usual] of Object.entries({ layout: 0, input_forget: 0 })) {
      if (node.int(name, usual) !== usual) throw g.refusal(`there is no rule for ${name} ${node.int(name, usual)}`);
    }
    if (node.attributes.has("clip")) throw g.refusal("there is no rule for clip");
    const direction = node.string("direction", "forward");
    const reversed = direction === "bidirectional" ? [false, true] : [direction === "reverse"];
    const all = reversed.map((isReversed, d) => directionGradient(g, d, isReversed, kind));
    const stacked = (pick: (one: (typeof all)[number]) => Value | null): Value | null => {
      const parts = all.flatMap((one) => pick(one) ?? []);
      const rows = parts.map((part) => g.emit("Unsqueeze", [part, g.list([0])]));
      return rows.length < 2 ? (rows[0] ?? null) : g.emit("Concat", rows, { axis: attr.int(0) });
    };
    const [first, second] = all.map(({ x }) => x);
    return [
      second ? g.add(first, second) : first,
      stacked(({ w }) => w),
      stacked(({ r }) => r),
      g.optional(3) ? stacked(({ b }) => b) : null,
      null,
      g.optional(5) ? stacked(({ state }) => state) : null,
      g.optional(6) ? stacked(({ cell }) => cell) : null,
      g.optional(7) ? stacked(({ peepholes }) => peepholes) : null,
    ];
  });

function directionGradient(
  g: GradientContext,
  d: number,
  isReversed: boolean,
  { gates: gateCount, activations, hasCell, backward }: RecurrentKind,
) {
  const [steps, batch, inputs] = g.dims(g.input(0));
  const hidden = g.dims(g.input(2))[2];
  const gates = gateCount * hidden;
  const rows = steps * batch;
  const lengths = g.optional(4);
  const turn = (value: Value) => (isReversed ? reverseTime(g, value, lengths) : value);
  const state = [1, batch, hidden];
  const isOnly = g.dims(g.input(1))[0] === 1;
  /** Of a value [.., D, ..] the part of this direction, without the axis. */
  const part = (value: Value, axis: number, dims: readonly number[]): Value => {
    const one = isOnly ? value : g.emit("Slice", [value, g.list([d]), g.list([d + 1]), g.list([axis])]);
    return g.reshape(one, dims);
  };
  const partOf = (value: Value | null, axis: number, dims: readonly number[]) => value && part(value, axis, dims);
  const input = (index: number, dims: readonly number[]) => partOf(g.optional(index), 0, dims);
  const known = (value: Value | null, dims: readonly number[]) => value ?? zeros(g, dims);

  const x = turn(g.input(0));
  const w = part(g.input(1), 0, [gates, inputs]);
  const r = part(g.input(2), 0, [gates, hidden]);
  const y = turn(part(g.extraOutput(0), 1, [steps, batch, hidden]));
  const h0 = known(input(5, state), state);
  const bias = input(3, [2 * gates]);
  const biases = bias ? g.emitMany("Split", [bias], 2, { axis: attr.int(0), num_outputs: attr.int(2) }) : null;
  const joined = (parts: readonly Value[]) =>
    parts.length === 1 ? parts[0] : g.emit("Concat", parts, { axis: attr.int(0) });
  const earlier = steps > 1 ? [g.emit("Slice", [y, g.list([0]), g.list([steps - 1]), g.list([0])])] : [];
  const of: Direction = {
    steps,
    batch,
    hidden,
    r,
    biases: biases && [biases[0], biases[1]],
    products: g.emit("MatMul", [x, g.emit("Transpose", [w])]),
    before: joined([h0, ...earlier]),
    cell: known(input(6, state), state),
    peepholes: input(7, [3 * hidden]),
    activations: activationsOf(g.node, d, activations),
    lasts: lengths && Array.from({ length: steps }, (_, t) => lasting(g, lengths, t, batch)),
  };
  const { read, step, peepholes } = backward(g, of);

  const dy = partOf(g.optionalGradOf(0), 1, [steps, batch, hidden]);
  const each = dy ? splitSteps(g, turn(dy), steps) : null;
  let carried: Carried = {
    state: known(partOf(g.optionalGradOf(1), 0, state), state),
    cell: hasCell ? known(partOf(g.optionalGradOf(2), 0, state), state) : null,
  };
  const dgates: Value[] = [];
  const dstates: Value[] = [];
  for (let t = steps - 1; t >= 0; t--) {
    const lasts = of.lasts?.[t];
    // What an example that has ended is given, it gives as 0.
    const arriving = each && (lasts ? g.mul(each[t], lasts) : each[t]);
    const now = arriving ? g.add(carried.state, arriving) : carried.state;
    const active = { state: now, cell: carried.cell };
    const stepped = step(lasts ? whereLasting(g, active, lasts) : active, t);
    carried = lasts ? passOn(g, stepped, active, lasts) : stepped;
    dgates.unshift(stepped.gates);
    dstates.unshift(stepped.fromState ?? stepped.gates);
  }
  const into = joined(dgates);
  const fromState = dstates.every((value, t) => value === dgates[t]) ? into : joined(dstates);
  const sum = (value: Value) => g.emit("ReduceSum", [value, g.list([0, 1])], { keepdims: attr.int(0) });
  /** [T, N, a]^T [T, N, b] summed over all steps and examples. */
  const product = (a: Value, b: Value, width: number, columns: number) =>
    g.emit("MatMul", [g.emit("Transpose", [g.reshape(a, [rows, width])]), g.reshape(b, [rows, columns])]);
  const byGate = (value: Value) =>
    g.emitMany("Split", [value], gateCount, { axis: attr.int(2), num_outputs: attr.int(gateCount) });
  return {
    x: turn(g.emit("MatMul", [into, w])),
    w: product(into, x, gates, inputs),
    r:
      read.length === 1
        ? product(fromState, read[0], gates, hidden)
        : joined(byGate(fromState).map((gate, i) => product(gate, read[i], hidden, hidden))),
    b: joined([sum(into), sum(fromState)]),
    state: g.reshape(carried.state, [batch, hidden]),
    cell: carried.cell && g.reshape(carried.cell, [batch, hidden]),
    peepholes: peepholes?.(into) ?? null,
  };
}

/** [T, ..] as T pieces [1, ..]. */
export function splitSteps(g: GradientContext, value: Value, steps: number): Value[] {
  if (steps === 1) return [value];
  return g.emitMany("Split", [value, g.list(Array<number>(steps).fill(1))], steps, { axis: attr.int(0) });
}

/** The steps of each example in reverse, those after its end where they are. */
function reverseTime(g: GradientContext, value: Value, lengths: Value | null): Value {
  if (lengths) {
    const axes = { time_axis: attr.int(0), batch_axis: attr.int(1) };
    return g.emit("ReverseSequence", [value, g.cast(lengths, "int64")], axes);
  }
  return g.emit("Slice", [value, g.list([-1]), g.list([Number.NEGATIVE_INFINITY]), g.list([0]), g.list([-1])]);
}

/** 1 for each example that is longer than t [1, N, 1]. */
function lasting(g: GradientContext, lengths: Value, t: number, batch: number): Value {
  const longer = g.emit("Greater", [g.cast(lengths, "int64"), g.list([t])]);
  return g.reshape(g.cast(longer, g.floatType), [1, batch, 1]);
}

const whereLasting = (g: GradientContext, { state, cell }: Carried, lasts: Value): Carried => ({
  state: g.mul(state, lasts),
  cell: cell && g.mul(cell, lasts),
});

/** An example that has ended hands on what it was given. */
function passOn(g: GradientContext, stepped: Stepped, active: Carried, lasts: Value): Carried {
  const ended = g.sub(g.scalar(1), lasts);
  const plus = (value: Value, given: Value | null) => (given ? g.add(value, g.mul(given, ended)) : value);
  return { state: plus(stepped.state, active.state), cell: stepped.cell && plus(stepped.cell, active.cell) };
}
