import { EspalierError } from "../base/errors.js";
import { fromNumbers, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { constantOf } from "../graph/constant.js";
import type { Value } from "../graph/ir.js";
import { type Border, bordersOf } from "./borders.js";
import { normalizeAxis } from "./broadcast.js";
import { handsOn } from "./constancy.js";
import { expansion } from "./define.js";
import type { NodeContext } from "./node-context.js";
import { zeros } from "./sample.js";

// Bodies written out in the graph around them, where gradients follow the operators that they are made of.

/** More copies of a body than these are a graph that onnxruntime takes long to load. */
const mostSteps = 1000;

/**
 * Both branches, and for each output that of the one that is taken. (What the other gives must be numbers: where it
 * divides by 0 the gradient is no number either, since 0 * inf is none.)
 */
export const branchExpansion = expansion((c) => {
  const [first, second] = ["then_branch", "else_branch"].map((name) => {
    const branch = c.node.attribute(name, "graph");
    if (!branch) throw new EspalierError("bad-model", `it lacks its ${name}`, { who: c.node.label });
    const values = c.writeOut(branch, new Map());
    return branch.outputs.map((value) => values.get(value) ?? value);
  });
  return c.node.outputs.map((output, i) => {
    if (!output) return null;
    // Branches may give the same elements in other dims.
    const dims = c.dims(output);
    return c.emit("Where", [c.input(0), c.reshape(first[i], dims), c.reshape(second[i], dims)]);
  });
});

/** As many copies of the body as it has steps, which must be a constant that no condition cuts short. */
export const loopExpansion = expansion((c) => {
  const [border] = bordersOf(c.node);
  const count = constantOf(c.optional(0));
  const [condition] = border.body.outputs;
  if (!count || !goesOn(condition, border) || constantOf(c.optional(1))?.array[0] === 0) {
    throw c.refusal("how often it runs depends on the data");
  }
  const steps = Number(count.array[0]);
  const [number, always] = border.body.inputs;
  const given = (step: number): [Value, Value][] => [
    [number, c.constant(intTensor([step], []))],
    [always, c.constant(fromNumbers("bool", [], [1]))],
  ];
  return unroll(c, border, steps, given);
});

/** As many copies of the body as there are positions along the axes that it scans. */
export const scanExpansion = expansion((c) => {
  const [border] = bordersOf(c.node);
  const scanned = border.inputs.find(({ steps }) => steps !== null);
  if (!scanned?.outer) throw c.refusal("it scans nothing");
  const dims = c.dims(scanned.outer);
  return unroll(c, border, dims[normalizeAxis(scanned.steps ?? 0, dims.length)], () => []);
});

function unroll(
  c: NodeContext,
  { body, inputs, outputs, carried }: Border,
  steps: number,
  given: (step: number) => [Value, Value][],
): (Value | null)[] {
  if (steps > mostSteps) throw c.refusal(`its ${steps} steps would be written out one after the other`);
  // All steps share the constants of the body.
  const constants = [...body.values.values()].filter((value) => value.initializer);
  let shared: (readonly [Value, Value])[] = [];
  const reversed = (name: string, index: number) => (c.node.ints(name, [])[index] ?? 0) === 1;
  const read: (readonly [Value, readonly Value[]])[] = [];
  const state = new Map<Value, Value>();
  for (const { inner, outer, steps: axis } of inputs) {
    if (!outer) throw c.refusal(`its body's '${inner.name}' is not given`);
    if (axis === null) state.set(inner, outer);
    else {
      const positions = splitSteps(c, outer, axis);
      read.push([inner, reversed("scan_input_directions", read.length) ? positions.reverse() : positions]);
    }
  }
  const collected = outputs
    .filter(({ steps: axis }) => axis !== null)
    .map((crossing) => ({ crossing, each: [] as Value[] }));
  for (let step = 0; step < steps; step++) {
    const now = new Map([
      ...shared,
      ...state,
      ...given(step),
      ...read.map(([inner, each]) => [inner, each[step]] as const),
    ]);
    const values = c.writeOut(body, now);
    const resultOf = (inner: Value) => values.get(inner) ?? inner;
    shared = constants.map((value) => [value, resultOf(value)]);
    for (const [before, after] of carried) state.set(before, resultOf(after));
    for (const { crossing, each } of collected) each.push(resultOf(crossing.inner));
  }
  const last = new Map(carried.map(([before, after]) => [after, state.get(before)]));
  let index = 0;
  return outputs.map(({ inner, outer, steps: axis }) => {
    if (axis === null) {
      const value = last.get(inner);
      return outer && value ? c.emit("Identity", [value]) : null;
    }
    const { each } = collected[index];
    const backward = reversed("scan_output_directions", index++);
    return outer && stack(c, backward ? each.reverse() : each, axis, c.dims(outer));
  });
}

/** The positions along an axis as values without that axis. */
function splitSteps(c: NodeContext, value: Value, axis: number): Value[] {
  const dims = c.dims(value);
  const at = normalizeAxis(axis, dims.length);
  const ones = Array.from({ length: dims[at] }, () => 1);
  if (ones.length === 0) return [];
  const parts = c.emitMany("Split", [value, c.list(ones)], ones.length, { axis: attr.int(at) });
  return parts.map((part) => c.emit("Squeeze", [part, c.list([at])]));
}

/** The steps' values along a new axis of the result, whose dims are `dims`. */
function stack(c: NodeContext, values: readonly Value[], axis: number, dims: readonly number[]): Value {
  if (values.length === 0) return zeros(c, dims);
  const at = normalizeAxis(axis, dims.length);
  const apart = values.map((value) => c.emit("Unsqueeze", [value, c.list([at])]));
  return c.emit("Concat", apart, { axis: attr.int(at) });
}

/** Whether a Loop's condition is true in every step: a constant, or the one that it was given. */
function goesOn(condition: Value, { body }: Border): boolean {
  let value = condition;
  while (value.producer && handsOn(value.producer) && value.producer.inputs[0]) value = value.producer.inputs[0];
  return value === body.inputs[1] || constantOf(value)?.array[0] === 1;
}
