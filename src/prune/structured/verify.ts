import { type DType, isFloat } from "../../base/dtype.js";
import { EspalierError } from "../../base/errors.js";
import { type Tensor, toFloat32 } from "../../base/tensor.js";
import type { Graph, Model, Value } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { allGraphs, readsOf, topologicalOrder } from "../../graph/walk.js";
import { readsDimsOnly } from "../../ops/constancy.js";
import type { Engine, Tensors } from "../../run/session.js";
import { cut, takeSlices } from "./cut.js";
import { gatedModel } from "./gates.js";
import type { Group, Grouping } from "./groups.js";
import { enterBody, likeOf, type Place, type Side, touchedBodies, valuesOf } from "./sides.js";

/**
 * How far an element of the cut network may be from the masked one, relative to the largest of its output: some roundings
 * of the coarsest floats that the network computes with, which are 2^-12 for float16 and 2^-9 for bfloat16.
 */
function toleranceOf({ model, trace }: Comparison): number {
  const types = new Set<DType>();
  for (const { values } of allGraphs(model.graph)) {
    for (const value of values.values()) if (trace.has(value)) types.add(trace.dtype(value));
  }
  return types.has("bfloat16") ? 3e-2 : types.has("float16") ? 4e-3 : 1e-4;
}

export interface Proof {
  /** By name of a value: the largest difference, relative to the largest element. */
  differences: Readonly<Record<string, number>>;
  /** The outputs that were compared only up to where they choose by what they compare: see `verifyCut`. */
  chosen: readonly string[];
}

/** What a network computes after a cut, and what it must compute. */
export interface Comparison {
  /** The prepared model; the copies have the names of its values. */
  model: Model;
  trace: Trace;
  /** Nothing taken out, but what was removed counts as zero, and in a mean or a norm not at all. */
  masked: Model;
  cut: Model;
  /** For each axis of a value, the positions that stay in the cut network; null where all do. */
  keeps(value: Value): readonly (readonly number[] | null)[];
  /** What to do when they differ. */
  hint: string;
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
  const keeps = (value: Value) => grouping.keeps(value, removed);
  const hint = multipliesIntegers(grouping) ? overflow : misunderstood;
  const { model: masked } = gatedModel(grouping, removed);
  return verifyEqual({ model, trace, masked, cut: after, keeps, hint }, feeds, engine);
}

/**
 * Runs the cut and the masked network on the same inputs and compares their outputs.
 *
 * A run takes one branch of an If and perhaps no step of a Loop. So each body that a cut reaches is compared on its own
 * too, both sides with what they read from around it in that run, as in a first step.
 *
 * Where an output differs by more, but the node that computes it lost nothing, what this reads is compared instead: small
 * results of a Sigmoid come in coarse steps, since it reckons around 1.
 * A detector that sorts its boxes may list two of equal score in another order after the slightest rounding. Where an
 * output differs that depends on such a choice (an operator that makes integers or booleans of floats), what the choices
 * read is compared instead, as far as it was not taken out.
 * Throws `unsupported`, naming the value, when one differs by more than rounding (1e-4 in float32, 4e-3 in float16), or the node whose body cannot run.
 */
export async function verifyEqual(comparison: Comparison, feeds: Tensors, engine: Engine): Promise<Proof> {
  const { keeps, trace, hint } = comparison;
  const tolerance = toleranceOf(comparison);
  const equal = ({ difference }: Result) => difference <= tolerance;
  const differences: Record<string, number> = {};
  const chosen: string[] = [];
  const compare = async (pairs: readonly Pair[], { before, now }: Sides): Promise<Result[]> => {
    const expected = await valuesOf(
      before,
      pairs.map((pair) => pair.before),
      engine,
    );
    const found = await valuesOf(
      now,
      pairs.map((pair) => pair.now),
      engine,
    );
    return pairs.map(({ value }, i) => {
      const kept = takeSlices(expected[i], keeps(value));
      return { value, difference: differenceOf(found[i], kept) };
    });
  };
  const stepBack = async (results: readonly Result[], sides: Sides): Promise<readonly Result[]> => {
    const pairs = results.map((result) => (equal(result) ? null : readsOfSame(result, sides, comparison)));
    const reads = pairs.flatMap((each) => each ?? []);
    if (reads.length === 0) return results;
    const settled = results.filter((_, i) => !pairs[i]);
    return [...settled, ...(await stepBack(await compare(reads, sides), sides))];
  };
  const prove = async (graph: Graph, sides: Sides): Promise<void> => {
    const { before, now } = sides;
    const results = await compare(
      graph.outputs.map((value, i) => ({
        value,
        before: before.model.graph.outputs[i],
        now: now.model.graph.outputs[i],
      })),
      sides,
    );
    const { choices, depending } = choicesIn(graph, trace);
    const left = choices.filter(({ name }) => now.model.graph.values.has(name));
    const doubtful = results.filter((result) => !equal(result) && left.length > 0 && depending.has(result.value));
    const compared = results.filter((result) => !doubtful.includes(result));
    if (doubtful.length > 0) {
      const pairs = left.map((value) => ({ value, before: likeOf(before, value), now: likeOf(now, value) }));
      compared.push(...(await compare(pairs, sides)));
    }
    for (const result of await stepBack(compared, sides)) {
      const { value, difference } = result;
      if (!equal(result)) {
        const what = `the cut network gives another '${value.name}' than the masked one, by ${difference}`;
        throw new EspalierError("unsupported", what, { hint });
      }
      // Bodies of different nodes may use one name.
      if (value.producer) differences[value.name] = Math.max(difference, differences[value.name] ?? 0);
    }
    chosen.push(...doubtful.map(({ value }) => value.name));
    for (const place of touchedBodies(graph, keeps)) {
      const [first, second] = [await enterBody(before, place, engine), await enterBody(now, place, engine)];
      await prove(place.body, { before: first, now: second }).catch((error: unknown) => {
        throw error instanceof EspalierError && error.code === "runtime" ? unproven(place, error) : error;
      });
    }
  };
  await prove(comparison.model.graph, {
    before: { model: comparison.masked, feeds },
    now: { model: comparison.cut, feeds },
  });
  return { differences, chosen };
}

interface Sides {
  before: Side;
  now: Side;
}

/** A value of the original, and what it is on either side. */
interface Pair {
  value: Value;
  before: Value;
  now: Value;
}

interface Result {
  value: Value;
  difference: number;
}

/** What a value is computed from, if that is done by a node that lost nothing; null if not, or if dims differ. */
function readsOfSame(
  { value, difference }: Result,
  { before, now }: Sides,
  { trace, keeps }: Comparison,
): Pair[] | null {
  const node = value.producer;
  const [first, second] = [before, now].map(({ model }) => model.graph.values.get(value.name)?.producer);
  if (!node || !first || !second || !Number.isFinite(difference)) return null;
  const reads = [...readsOf(node)];
  const loses = (each: Value) => keeps(each).some((keep) => keep !== null);
  const unlike = (each: Value) => !trace.has(each) || trace.dtype(each) === "string" || loses(each);
  if (reads.length === 0 || reads.some(unlike) || node.outputs.some((each) => each && loses(each))) return null;
  const pairs = node.inputs.flatMap((input, i) => {
    const [a, b] = [first.inputs[i], second.inputs[i]];
    return input && a && b ? [{ value: input, before: a, now: b }] : [];
  });
  // Of what bodies read, sizes may have other names on either side; the bodies themselves are proven on their own.
  const captured = reads.filter((each) => !node.inputs.includes(each) && isFloat(trace.dtype(each)));
  return [...pairs, ...captured.map((each) => ({ value: each, before: likeOf(before, each), now: likeOf(now, each) }))];
}

function unproven({ node, body }: Place, cause: EspalierError): EspalierError {
  const what = `its body '${body.name}' was cut but does not run by itself, so that nothing proves the cut: ${cause.what}`;
  return new EspalierError("unsupported", what, {
    who: node.label,
    hint: "Give the inputs dims for which each branch can run, with --shape.",
    cause,
  });
}

export const misunderstood =
  "This is a fault of espalier: how the axes of the network hang together was not understood.";

const overflow =
  "On processors without VNNI, onnxruntime's sums of two products of uint8 and int8 overflow, differently after a cut. Quantize the weights to 7 bits (reduce_range), or cut on another processor.";

function multipliesIntegers({ contractions, trace }: Grouping): boolean {
  return contractions.some(({ node, input }) => {
    const value = node.inputs[input];
    return value && trace.has(value) && !isFloat(trace.dtype(value));
  });
}

/** The floats that the first choices read, and all that depends on a choice. */
function choicesIn(graph: Graph, trace: Trace): { choices: Value[]; depending: ReadonlySet<Value> } {
  const depending = new Set<Value>();
  const choices = new Set<Value>();
  const floats = (value: Value) => trace.has(value) && isFloat(trace.dtype(value));
  for (const node of topologicalOrder(graph)) {
    const reads = [...readsOf(node)];
    const discrete = !readsDimsOnly(node) && node.outputs.some((value) => value && trace.has(value) && !floats(value));
    const free = reads.filter(
      (value) => value.graph === graph && floats(value) && value.producer && !depending.has(value),
    );
    const chooses = (discrete && free.length > 0) || reads.some((value) => depending.has(value));
    if (!chooses) continue;
    if (discrete) for (const value of free) choices.add(value);
    for (const output of node.outputs) if (output) depending.add(output);
  }
  return { choices: [...choices], depending };
}

/** Infinity where dims differ. */
function differenceOf(found: Tensor, expected: Tensor): number {
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
