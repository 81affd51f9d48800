import { EspalierError } from "../../base/errors.js";
import { fromFloat32, toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { Builder } from "../../graph/builder.js";
import { cloneModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { setConstant, setGraphOutputs, setInput } from "../../graph/edit.js";
import type { Model, Node, Value } from "../../graph/ir.js";
import { allNodes } from "../../graph/walk.js";
import { modelBytes } from "../../onnx/write.js";
import { useBatchStatistics } from "../../ops/norm.js";
import { removeDead } from "../../passes/remove-dead.js";
import { makeNamesUnique } from "../../passes/unique-names.js";
import { inferTrace } from "../../run/infer.js";
import { prepareModel } from "../../train/prepare.js";
import { takeBranches } from "../../train/taken-branches.js";
import { type Calibration, type CalibrationOptions, calibrationOf } from "./calibration.js";

/** A BatchNormalization with statistics that are constants. */
interface Normalization {
  /** Its first output, by which the node is found in a copy of the model. */
  output: string;
  /** Of the mean and the variance: the node's input, and the name of that of a batch. */
  inputs: readonly number[];
  batch: readonly string[];
}

interface Moments {
  mean: Float64Array;
  /** Of the squares. */
  square: Float64Array;
}

/**
 * A copy of the model, at opset 21, in which each BatchNormalization whose mean and variance are constants has those of
 * the examples, without labels: what left, and what was refitted, has moved them. Everything else stays as it is.
 *
 * Nodes in branches that the examples do not take, and in bodies of Loop and Scan, keep what they have.
 *
 * One pass, in which every node normalizes by the statistics of its batch, as in training. Going exactly in sequence,
 * each node with those before it done, would take a pass for each of them, and differs only by how much the statistics
 * of a batch vary. Mean and variance are those over all examples together, not averages of the variances of batches.
 *
 * Throws `bad-data` for data that do not fit the model, lead to infinite values, or give a node a single number for a
 * channel, which has no variance; `interrupted` when the user stops.
 */
export async function recalibrate(model: Model, data: Dataset, options: CalibrationOptions): Promise<Model> {
  const copy = prepareModel(model);
  makeNamesUnique(copy);
  const calibration = calibrationOf(copy, data, options);
  const { program, normalizations } = await batchProgram(copy, calibration, options);
  if (normalizations.length === 0) return copy;

  const moments = await gatherMoments(program, normalizations, calibration, options);
  const nodes = new Map([...allNodes(copy.graph)].map((node) => [node.outputs[0]?.name, node]));
  for (const [normalization, { mean, square }] of moments) {
    const node = nodes.get(normalization.output);
    if (!node) throw new Error(`'${normalization.output}' is gone`);
    const variance = square.map((each, channel) => Math.max(0, each - mean[channel] ** 2));
    if (![...mean, ...variance].every(Number.isFinite)) {
      throw new EspalierError("bad-data", "the examples lead to values that are no finite numbers", {
        who: node.label,
      });
    }
    for (const [i, values] of [mean, variance].entries()) {
      setOwnConstant(node, normalization.inputs[i], Float32Array.from(values));
    }
  }
  return copy;
}

/** The network with batch statistics, ending at the last node that has some. */
async function batchProgram(
  model: Model,
  calibration: Calibration,
  { engine, threads }: CalibrationOptions,
): Promise<{ program: Model; normalizations: Normalization[] }> {
  const { model: program } = cloneModel(model);
  await takeBranches(program, () => calibration.batches(), { engine, threads });
  const { graph } = program;
  const trace = await inferTrace(program, await calibration.example(), engine);
  const b = new Builder(graph, "statistics/");
  const normalizations: Normalization[] = [];
  const outputs: Value[] = [];
  for (const node of [...graph.nodes]) {
    if (node.inputs.some((input, index) => index > 0 && input && !constantOf(input))) continue;
    const statistics = useBatchStatistics(b, node);
    const [data] = node.inputs;
    const [output] = node.outputs;
    if (statistics.length === 0 || !data || !output) continue;
    const dims = trace.dims(data);
    if (dims.reduce((a, size) => a * size, 1) === dims[1]) {
      throw new EspalierError("bad-data", "a batch gives it one number for each channel, which has no variance", {
        who: node.label,
        hint: "Give more examples, or larger batches.",
      });
    }
    normalizations.push({
      output: output.name,
      inputs: statistics.map(({ input }) => input),
      batch: statistics.map(({ batch }) => batch.name),
    });
    outputs.push(...statistics.map(({ batch }) => batch));
  }
  setGraphOutputs(graph, outputs);
  removeDead(program);
  return { program, normalizations };
}

async function gatherMoments(
  program: Model,
  normalizations: readonly Normalization[],
  calibration: Calibration,
  { engine, threads }: CalibrationOptions,
): Promise<Map<Normalization, Moments>> {
  const moments = new Map<Normalization, Moments>();
  const session = await engine.load(modelBytes(program), { threads });
  try {
    for await (const feeds of calibration.batches()) {
      const results = await session.run(feeds);
      for (const normalization of normalizations) {
        const [mean, variance] = normalization.batch.map((name) => toFloat32(results[name]));
        const zeros = () => new Float64Array(mean.length);
        const sums = moments.get(normalization) ?? { mean: zeros(), square: zeros() };
        for (const [channel, m] of mean.entries()) {
          sums.mean[channel] += m / calibration.batchCount;
          sums.square[channel] += (variance[channel] + m ** 2) / calibration.batchCount;
        }
        moments.set(normalization, sums);
      }
    }
  } finally {
    await session.release();
  }
  return moments;
}

/** Equal vectors may be stored once; from now on this node's differs from those of others. */
function setOwnConstant(node: Node, index: number, values: Float32Array): void {
  const value = node.inputs[index] ?? null;
  const before = constantOf(value);
  if (!value || !before) throw new Error(`input ${index} of ${node.label} is no constant`);
  const tensor = fromFloat32(before.dtype, before.dims, values);
  const reads = node.inputs.filter((input) => input === value).length;
  if (value.uses.size === 1 && reads === 1) setConstant(value, tensor);
  else setInput(node, index, new Builder(node.graph).constant(tensor, value.name));
}
