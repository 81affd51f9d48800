import { isFloat } from "../../base/dtype.js";
import { EspalierError } from "../../base/errors.js";
import { type Tensor, toFloat32 } from "../../base/tensor.js";
import type { Model, Value } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { readsOf, topologicalOrder } from "../../graph/walk.js";
import { modelBytes } from "../../onnx/write.js";
import { readsDimsOnly } from "../../ops/constancy.js";
import type { Engine, Tensors } from "../../run/session.js";
import { cut, takeSlices } from "./cut.js";
import { gatedModel } from "./gates.js";
import type { Group, Grouping } from "./groups.js";

/** How far an element of the cut network may be from the masked one, relative to the largest of its output. */
export const tolerance = 1e-4;

export interface Proof {
  /** By name of a value: the largest difference, relative to the largest element. */
  differences: Readonly<Record<string, number>>;
  /** The outputs that were compared only up to where they choose by what they compare: see `verifyCut`. */
  chosen: readonly string[];
}

/** What the network computes after a cut, and what it must compute. */
export interface Comparison {
  /** The prepared model; the copies have the names of its values. */
  model: Model;
  trace: Trace;
  /** Nothing taken out, but what was removed counts as zero. */
  masked: Model;
  cut: Model;
  /** What a tensor of the masked network is in the cut one. */
  stays(value: Value, tensor: Tensor): Tensor;
}

/** As `verifyEqual`, for groups. */
export function verifyCut(
  grouping: Grouping,
  removed: ReadonlySet<Group>,
  feeds: Tensors,
  engine: Engine,
  after: Model = cut(grouping, removed),
): Promise<Proof> {
  const { model, trace } = grouping;
  const stays = (value: Value, tensor: Tensor) => takeSlices(tensor, grouping.keeps(value, removed));
  return verifyEqual({ model, trace, masked: gatedModel(grouping, removed).model, cut: after, stays }, feeds, engine);
}

/**
 * Runs the cut and the masked network on the same inputs and compares their outputs.
 *
 * A detector that sorts its boxes may list two of equal score in another order after the slightest rounding. Where an
 * output differs that depends on such a choice (an operator that makes integers or booleans of floats), what the choices
 * read is compared instead, as far as it was not taken out.
 * Throws `unsupported`, naming the value, when one differs by more than `tolerance`.
 */
export async function verifyEqual(comparison: Comparison, feeds: Tensors, engine: Engine): Promise<Proof> {
  const { masked: before, cut: after, stays } = comparison;
  const compare = async (values: readonly Value[]) => {
    const expected = await run(before, values, feeds, engine);
    const found = await run(after, values, feeds, engine);
    return values.map((value) => {
      return { value, difference: difference(found[value.name], stays(value, expected[value.name])) };
    });
  };
  const equal = ({ difference }: { difference: number }) => difference <= tolerance;
  const results = await compare(comparison.model.graph.outputs);
  const { choices, depending } = choicesIn(comparison);
  const left = choices.filter(({ name }) => after.graph.values.has(name));
  const byChoice = ({ value }: { value: Value }) => left.length > 0 && depending.has(value);
  const chosen = results.filter((result) => !equal(result) && byChoice(result));
  const compared = results.filter((result) => !chosen.includes(result));
  if (chosen.length > 0) compared.push(...(await compare(left)));
  for (const result of compared) {
    if (equal(result)) continue;
    const what = `the cut network gives another '${result.value.name}' than the masked one, by ${result.difference}`;
    throw new EspalierError("unsupported", what, {
      hint: "This is a fault of espalier: how the axes of the network hang together was not understood.",
    });
  }
  return {
    differences: Object.fromEntries(compared.map(({ value, difference: d }) => [value.name, d])),
    chosen: chosen.map(({ value }) => value.name),
  };
}

/** The floats that the first choices read, and all that depends on a choice. */
function choicesIn({ model, trace }: Comparison): { choices: Value[]; depending: ReadonlySet<Value> } {
  const depending = new Set<Value>();
  const choices = new Set<Value>();
  const floats = (value: Value) => trace.has(value) && isFloat(trace.dtype(value));
  for (const node of topologicalOrder(model.graph)) {
    const reads = [...readsOf(node)];
    const discrete = !readsDimsOnly(node) && node.outputs.some((value) => value && trace.has(value) && !floats(value));
    const free = reads.filter((value) => floats(value) && value.producer && !depending.has(value));
    const chooses = (discrete && free.length > 0) || reads.some((value) => depending.has(value));
    if (!chooses) continue;
    if (discrete) for (const value of free) choices.add(value);
    for (const output of node.outputs) if (output) depending.add(output);
  }
  return { choices: [...choices], depending };
}

async function run(model: Model, values: readonly Value[], feeds: Tensors, engine: Engine): Promise<Tensors> {
  const session = await engine.load(
    modelBytes(
      model,
      values.map((value) => namedAs(model, value)),
    ),
    { optimization: "disabled" },
  );
  try {
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** Copies of a model keep the names of its values. */
function namedAs(model: Model, value: Value): Value {
  const found = model.graph.values.get(value.name);
  if (!found) throw new EspalierError("unsupported", `the value '${value.name}' is gone`);
  return found;
}

/** Infinity where dims differ. */
function difference(found: Tensor, expected: Tensor): number {
  if (found.dims.length !== expected.dims.length || found.dims.some((dim, i) => dim !== expected.dims[i])) {
    return Number.POSITIVE_INFINITY;
  }
  const [a, b] = [toFloat32(found), toFloat32(expected)];
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    if (a[i] === b[i] || (Number.isNaN(a[i]) && Number.isNaN(b[i]))) continue;
    worst = Math.max(worst, Math.abs(a[i] - b[i]));
  }
  for (const value of b) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  return worst === 0 ? 0 : worst / (largest || 1);
}
