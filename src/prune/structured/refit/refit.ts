import { EspalierError } from "../../../base/errors.js";
import { fromFloat32, toFloat32 } from "../../../base/tensor.js";
import type { Dataset } from "../../../data/dataset.js";
import { cloneModel } from "../../../graph/clone.js";
import { constantOf, constants } from "../../../graph/constant.js";
import { setConstant } from "../../../graph/edit.js";
import type { Model, Value } from "../../../graph/ir.js";
import { inferTrace } from "../../../run/infer.js";
import { takeBranches } from "../../../train/taken-branches.js";
import { type Calibration, type CalibrationOptions, calibrationOf } from "../calibration.js";
import type { Group, Grouping } from "../groups.js";
import { type Consumer, findConsumers, passesOf, type SkippedLayer } from "./consumers.js";
import { fitChange } from "./fit-change.js";
import { type Origin, settleMovedWeights, writeToSources } from "./moved-weights.js";
import { gatherNormalEquations, type NormalEquations } from "./normal-equations.js";

export interface RefittedLayer {
  /** Of its weights. */
  name: string;
  /** Positions of its output that were looked at, and what was fitted to them for each channel. */
  rows: number;
  unknowns: number;
  /**
   * What its output lacked of the original's, on these positions: the norm of the difference over that of the original's,
   * with all layers before it refitted already.
   */
  before: number;
  after: number;
}

/** A cut network, and what it is fitted to. */
export interface RefitSource {
  grouping: Grouping;
  removed: ReadonlySet<Group>;
  model: Model;
  /** What is imitated, with the names of the grouping's model. Default: that model. */
  imitated?: Model;
}

export interface RefitResult {
  model: Model;
  refitted: readonly RefittedLayer[];
  /** Layers that keep the weights that the cut left them. */
  skipped: readonly SkippedLayer[];
  /** How often the examples were run through the networks. */
  passes: number;
}

/**
 * Rows for each unknown, where the data have them. What a fit loses on new examples to chance is about the unknowns over
 * the rows: a twentieth. More rows would make the products over them, the longest part, longer for little.
 */
const rowsPerUnknown = 20;

/** 4608 inputs are a 3x3 kernel on 512 channels, whose matrix takes 170 MB. Layers of one pass share this. */
const mostElements = 4609 ** 2;

/**
 * Fits the layers of a cut network that lost inputs to what they gave in the original, on examples without labels: the
 * weights W' and, where the layer has one, the bias b' that minimize |W x + b - (W' x' + b')|^2, x' being what arrives
 * in the cut network. Layer after layer, each with those before it refitted, so that errors do not add up; layers that
 * do not depend on each other share a pass. A penalty on the distance from the weights that the cut left decides what
 * the examples do not: see `fitChange`. Layer by layer least squares is that of He et al., Channel Pruning, 2017, and Luo
 * et al., ThiNet, 2017, who have neither the penalty nor the bias.
 *
 * Positions in feature maps are drawn with the seed. Neither the cut model nor the original is changed.
 * Throws `bad-data` for data that do not fit the model or lead to infinite values, `unsupported` when no layer can be
 * refitted, `interrupted` when the user stops.
 */
export async function refit(result: RefitSource, data: Dataset, options: CalibrationOptions): Promise<RefitResult> {
  const { model: whole } = cloneModel(result.model);
  const calibration = calibrationOf(whole, data, options);
  const original = await asRun(result.imitated ?? result.grouping.model, calibration, options);
  const { model, origins } = await asRun(whole, calibration, options);
  const trace = await inferTrace(model, await calibration.example(), options.engine);
  const { found, skipped } = findConsumers({ ...result, model, origins, whole, imitated: original.model }, trace);
  const rowsPerBatch = ({ rows, unknowns }: Consumer) =>
    Math.min(rows, Math.ceil((rowsPerUnknown * unknowns) / calibration.batchCount));
  const rowsOf = (consumer: Consumer) => rowsPerBatch(consumer) * calibration.batchCount;

  const solvable = found.filter((consumer) => {
    const { name, unknowns } = consumer;
    const reason = options.frozen?.(name)
      ? "it is frozen"
      : rowsOf(consumer) < unknowns
        ? `needs ${unknowns} rows, the data give ${rowsOf(consumer)}`
        : elements(consumer) > mostElements
          ? `its ${unknowns} unknowns would take a matrix of ${elements(consumer)} elements`
          : null;
    if (reason) skipped.push({ name, reason });
    return reason === null;
  });
  if (solvable.length === 0) throw nothingToRefit(skipped);

  const passes = passesOf(solvable, (set, next) => elements(...set, next) <= mostElements);
  const refitted: RefittedLayer[] = [];
  for (const consumers of passes) {
    const networks = { original: original.model, model, calibration };
    const equations = await gatherNormalEquations(networks, consumers, rowsPerBatch, options);
    for (const [consumer, sums] of equations) {
      const { before, after } = solve(consumer, sums, rowsOf(consumer));
      refitted.push({ name: consumer.name, rows: rowsOf(consumer), unknowns: consumer.unknowns, before, after });
    }
  }
  const fitted = solvable.flatMap(({ weight, bias }) => (bias ? [weight, bias] : [weight]));
  writeBack(fitted, origins, whole);
  return { model: whole, refitted, skipped, passes: passes.length };
}

/** A copy of a network as examples run through it, with nothing of that hidden in bodies or behind moved weights. */
async function asRun(model: Model, calibration: Calibration, options: CalibrationOptions) {
  const { model: copy } = cloneModel(model);
  await takeBranches(copy, () => calibration.batches(), options);
  return { model: copy, origins: await settleMovedWeights(copy, options.engine) };
}

/** Puts fitted constants into the network that they are from, in which each constant has a name of its own. */
function writeBack(fitted: readonly Value[], origins: ReadonlyMap<string, Origin>, model: Model): void {
  const named = new Map([...constants(model.graph)].map(({ value }) => [value.name, value]));
  for (const value of fitted) {
    const tensor = constantOf(value);
    const origin = origins.get(value.name);
    const same = named.get(value.name);
    if (tensor && origin) writeToSources(toFloat32(tensor), origin, model);
    else if (tensor && same) setConstant(same, tensor);
  }
}

const elements = (...consumers: readonly Consumer[]) =>
  consumers.reduce((sum, { map, unknowns }) => sum + map.groups * unknowns ** 2, 0);

function nothingToRefit(skipped: readonly SkippedLayer[]): EspalierError {
  const [first] = skipped;
  if (!first) {
    return new EspalierError("unsupported", "no layer lost inputs, there is nothing to refit", {
      hint: "Refit what a cut gives.",
    });
  }
  const more = skipped.length > 1 ? ` (and ${skipped.length - 1} more)` : "";
  return new EspalierError("unsupported", `no layer can be refitted: ${first.name}: ${first.reason}${more}`, {
    hint: "Give more examples, or train what the cut left.",
  });
}

/** Puts the fitted weights into the model. */
function solve(
  consumer: Consumer,
  { gram, lack, lacking, wanted }: NormalEquations,
  rows: number,
): { before: number; after: number } {
  const { name, map, unknowns, weight, bias } = consumer;
  const { groups, taps, inputs, outputs, scale, biasScale } = map;
  if (![gram, lack, lacking, wanted].every((numbers) => numbers.every(Number.isFinite))) {
    throw new EspalierError("bad-data", "the examples lead to values that are no finite numbers", { who: name });
  }
  const weights = floatsOf(weight);
  const biases = bias && floatsOf(bias);
  const rest = lacking.slice();
  for (let group = 0; group < groups; group++) {
    const fit = fitChange({
      gram: gram.subarray(group * unknowns ** 2, (group + 1) * unknowns ** 2),
      lack: lack.subarray(group * unknowns * outputs, (group + 1) * unknowns * outputs),
      lacking: lacking[group],
      ...{ rows, unknowns, outputs },
    });
    if (!fit) continue;
    rest[group] = fit.rest;
    for (let output = 0; output < outputs; output++) {
      const column = fit.change.subarray(output * unknowns, (output + 1) * unknowns);
      for (let i = 0; i < taps * inputs; i++) {
        weights[map.at(group, Math.floor(i / inputs), i % inputs, output)] += column[i] / scale;
      }
      if (biases) biases[map.biasAt(group * outputs + output)] += column[taps * inputs] / biasScale;
    }
  }
  setFloats(weight, weights);
  if (bias && biases) setFloats(bias, biases);
  const sum = (squares: Float64Array) => squares.reduce((a, b) => a + b, 0);
  const relative = (squares: Float64Array) => (sum(wanted) > 0 ? Math.sqrt(sum(squares) / sum(wanted)) : 0);
  return { before: relative(lacking), after: relative(rest) };
}

function floatsOf(value: Value): Float32Array {
  const tensor = constantOf(value);
  if (!tensor) throw new Error(`'${value.name}' holds no constant`);
  return toFloat32(tensor).slice();
}

function setFloats(value: Value, floats: Float32Array): void {
  const tensor = constantOf(value);
  if (tensor) setConstant(value, fromFloat32(tensor.dtype, tensor.dims, floats));
}
