import { constantOf } from "../graph/constant.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { normalizeAxis } from "./broadcast.js";
import { handsOn } from "./constancy.js";

// Operators that run a body: a graph that reads, besides its inputs, the values around it.

/** Where a value crosses between a node and its body: `outer` becomes `inner`, or `inner` becomes `outer`. */
export interface Crossing {
  inner: Value;
  /** Null where the node leaves it out. */
  outer: Value | null;
  /** The axis of `outer` of which each step takes or gives one position; null where all of it crosses. */
  steps: number | null;
}

/** A body of a node and how it hangs together with what is around it. */
export interface Border {
  body: Graph;
  inputs: readonly Crossing[];
  outputs: readonly Crossing[];
  /** Inputs of the body with the outputs that take their place in the next step. */
  carried: readonly (readonly [Value, Value])[];
}

/** What decides which one of its bodies a node runs; null where it runs them all, or none. */
export function choiceOf(node: Node): Value | null {
  return node.domain === "" && node.type === "If" ? node.inputs[0] : null;
}

/**
 * How often a node runs its bodies one after the other: as many steps as it takes of what it scans, or collects, or as a
 * Loop without a condition of its own is told to. 1 where that is not known.
 */
export function stepsOf(node: Node, trace: Trace): number {
  const [border] = bordersOf(node);
  if (!border) return 1;
  for (const { outer, steps } of [...border.inputs, ...border.outputs]) {
    if (steps === null || !outer || !trace.has(outer)) continue;
    const dims = trace.dims(outer);
    return dims[normalizeAxis(steps, dims.length)];
  }
  const [count] = node.inputs;
  let goesOn: Value | null = border.body.outputs[0] ?? null;
  while (goesOn?.producer && handsOn(goesOn.producer)) goesOn = goesOn.producer.inputs[0];
  const known = node.type === "Loop" && count && trace.has(count) && (!goesOn?.producer || constantOf(goesOn) !== null);
  return known ? (trace.ints(count)?.[0] ?? 1) : 1;
}

/** The bodies of a node with their borders; none for operators without bodies, and for those espalier does not know. */
export function bordersOf(node: Node): readonly Border[] {
  const border = node.domain === "" ? borders[node.type] : undefined;
  return border ? node.subgraphs.map((body) => border(node, body)) : [];
}

const borders: Record<string, ((node: Node, body: Graph) => Border) | undefined> = {
  If: (node, body) => ({
    body,
    inputs: [],
    outputs: body.outputs.map((inner, i) => ({ inner, outer: node.outputs[i] ?? null, steps: null })),
    carried: [],
  }),

  /** The body reads the step's number, the condition and the state; it gives the condition, the state and collected values. */
  Loop: (node, body) => {
    const states = body.inputs.length - 2;
    return {
      body,
      inputs: body.inputs.slice(2).map((inner, i) => ({ inner, outer: node.inputs[i + 2] ?? null, steps: null })),
      outputs: body.outputs
        .slice(1)
        .map((inner, i) => ({ inner, outer: node.outputs[i] ?? null, steps: i < states ? null : 0 })),
      carried: pairs(body.inputs.slice(2), body.outputs.slice(1)),
    };
  },

  /** The body reads the state and a position of each scanned input; it gives the state and collected values. */
  Scan: (node, body) => {
    const scanned = node.int("num_scan_inputs", 0);
    const states = body.inputs.length - scanned;
    const [into, out] = ["scan_input_axes", "scan_output_axes"].map((name) => node.ints(name, []));
    const steps = (axes: readonly number[], i: number) => (i < states ? null : (axes[i - states] ?? 0));
    return {
      body,
      inputs: body.inputs.map((inner, i) => ({ inner, outer: node.inputs[i] ?? null, steps: steps(into, i) })),
      outputs: body.outputs.map((inner, i) => ({ inner, outer: node.outputs[i] ?? null, steps: steps(out, i) })),
      carried: pairs(body.inputs.slice(0, states), body.outputs),
    };
  },
};

function pairs(inputs: readonly Value[], outputs: readonly Value[]): (readonly [Value, Value])[] {
  return inputs.flatMap((input, i) => (outputs[i] ? [[input, outputs[i]] as const] : []));
}

/** What one step sees of a list that has an entry for each axis of the outer value. */
export function ofOneStep<T>(outer: readonly T[], { steps }: Crossing): readonly T[] {
  if (steps === null) return outer;
  const at = normalizeAxis(steps, outer.length);
  return outer.filter((_, axis) => axis !== at);
}
