import type { DType } from "../base/dtype.js";
import { EspalierError, quoted } from "../base/errors.js";
import { floatTensor, type Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, setGraphOutputs, setType } from "../graph/edit.js";
import { exampleAxes } from "../graph/example-axes.js";
import type { Graph, Model, Value } from "../graph/ir.js";
import { ancestors } from "../graph/walk.js";
import { modelBytes } from "../onnx/write.js";
import { emitGradients } from "../passes/autodiff.js";
import { removeDead } from "../passes/remove-dead.js";
import type { Engine, Tensors } from "../run/session.js";
import { trainOnBatches } from "./batch-statistics.js";
import { inputNames } from "./input-names.js";
import { type Layout, layOut, startingWith } from "./layout.js";
import { learnableConstants } from "./learnable.js";
import { emitLoss, type Targets } from "./loss-graph.js";
import type { Loss, TargetName } from "./losses/loss.js";
import type { Optimizer } from "./optimizers.js";
import { ownConstants } from "./own-constants.js";
import { specializeModel, traceExpanded } from "./prepare.js";
import { scanSteps } from "./scan.js";
import { assertTrainable } from "./trainable.js";
import { unpack } from "./unpack.js";

/**
 * Something gathered in the graph while training, for criteria that look at gradients: its sum over the steps is one
 * flat vector. `gradient` is that of the loss with respect to the weights, of removed ones too, of this batch alone and not clipped.
 */
export type Statistic = (builder: Builder, weights: Value, gradient: Value) => Value;

export interface ProgramOptions {
  loss: Loss;
  optimizer: Optimizer;
  /** Tensors whose name this accepts keep their values. */
  frozen?: (name: string) => boolean;
  /** "batch": BatchNormalization trains on the statistics of each batch. "fixed": it keeps the model's. */
  batchNorm: "batch" | "fixed";
  /**
   * After each step the parameters are multiplied by a mask, so that removed weights, being 0, stay 0. The optimizer's
   * averages see the gradients of removed weights too: one that comes back moves as if it had always been there. (With
   * averages that begin at 0 Adam's first steps would be up to (1 - beta1) / sqrt(1 - beta2) = 3.2 times too long.)
   */
  masked: boolean;
  /** By name; each adds a state vector. */
  statistics?: Readonly<Record<string, Statistic>>;
}

/** A vector that one step hands to the next: an input of the program, and the output that replaces it. */
export interface StateVector {
  input: string;
  output: string;
  size: number;
}

/**
 * A training step as one ONNX model, which takes several steps in one run (see `scanSteps`): what differs between them
 * has a first axis for the step. The trained tensors are cut out of one flat vector; the optimizer works on that vector.
 */
export interface Program {
  bytes: Uint8Array;
  masked: boolean;
  /** Where each trained tensor lies in the vector `inputNames.parameters`. */
  parameters: Layout;
  /** Likewise the running means and variances of BatchNormalization; empty when they are fixed. */
  running: Layout;
  state: readonly StateVector[];
  /** The model's own inputs. */
  inputs: readonly string[];
  targets: readonly TargetName[];
  batchSize: number;
  lossOutput: string;
  /** Share of right answers in the batch; null where the loss knows none. */
  accuracyOutput: string | null;
}

/** One batch. */
export interface Example {
  inputs: Tensors;
  targets: Targets;
}

/**
 * Turns `model` into a training step: forward, loss, backward, optimizer. The model must be in the form that
 * `prepareModel` gives it; it is used up. Constants of bodies are trained as well, if
 * no other value has their name.
 * @param example one batch, which fixes every shape: inputs by name, and what the loss compares with.
 * Throws `unsupported` for an operator without a gradient on the way, and when all weights are of another type than
 * float32; `bad-data` when loss and output do not fit.
 */
export async function compileProgram(
  model: Model,
  example: Example,
  options: ProgramOptions,
  engine: Engine,
): Promise<Program> {
  const { loss, optimizer } = options;
  const { graph } = model;
  const b = new Builder(graph, "train/");
  const inputs = graph.requiredInputs.map((input) => input.name);
  const batchSize = batchOf(graph.requiredInputs, example.inputs);
  const own = ownConstants(graph);
  const forward = await specializeModel(model, example.inputs, engine);
  const emitted = emitLoss(b, loss, forward, batchSize, example.targets);

  const behind = ancestors([emitted.value]);
  const isOpen = (value: Value) => own.has(value.name) && !options.frozen?.(value.name);
  const isWeight = (value: Value) => behind.has(value) && isOpen(value);
  const trained = learnableConstants(graph).filter(isWeight);
  if (trained.length === 0 && learnableConstants(graph).some(isOpen)) {
    throw new EspalierError("bad-usage", "it does not depend on any tensor that is trained", { who: loss.name });
  }
  if (trained.length === 0) throw nothingToTrain(graph, learnableConstants(graph, otherFloats).find(isWeight), options);
  assertTrainable(graph, emitted.value, trained);
  const parameters = layOut([
    ...trained.map((value) => ({ name: value.name, dims: forward.dims(value) })),
    ...emitted.parameters.map(startingWith),
  ]);
  const feeds: Tensors = { ...example.inputs, ...emitted.feeds };
  const state: StateVector[] = [];
  const vector = (name: string, size: number): Value => {
    feeds[name] = floatTensor([size], new Float32Array(size));
    return b.input(name, "float", [size]);
  };
  const publish = (value: Value, dtype: DType, dims: readonly number[]): string => {
    setType(value, { dtype, dims });
    addGraphOutput(graph, value);
    return value.name;
  };
  const handOn = (input: string, value: Value, size: number) =>
    state.push({ input, output: publish(value, "float", [size]), size });

  const flat = vector(inputNames.parameters, parameters.size);
  const weights = unpack(b, flat, parameters, [...trained, ...emitted.parameters]);
  const running = options.batchNorm === "batch" ? trainOnBatches(b, behind, own, vector) : null;

  const trace = await traceExpanded(model, feeds, engine);
  const gradients = emitGradients(graph, new Map([[emitted.value, b.scalar(1)]]), weights, trace);
  if (gradients.size === 0) throw new EspalierError("unsupported", "the loss does not depend on any trained weight");
  const mask = options.masked ? vector(inputNames.mask, parameters.size) : null;
  const gradient = pack(b, weights, parameters, gradients);

  const slots = optimizer.slots.map((name) => vector(inputNames.slot(name), parameters.size));
  const scalars = new Map<string, Value>();
  const scalar = (name: string) => {
    const value = scalars.get(name) ?? b.input(inputNames.scalar(name), "float", []);
    scalars.set(name, value);
    return value;
  };
  const stepped = optimizer.emit({ builder: b, layout: parameters, parameters: flat, gradient, slots, mask, scalar });

  setGraphOutputs(graph, []);
  const next = mask ? b.emit("Mul", [stepped.parameters, mask]) : stepped.parameters;
  handOn(inputNames.parameters, next, parameters.size);
  for (const [i, name] of optimizer.slots.entries()) {
    handOn(inputNames.slot(name), stepped.slots[i], parameters.size);
  }
  if (running) handOn(inputNames.running, running.updated, running.layout.size);
  for (const [name, statistic] of Object.entries(options.statistics ?? {})) {
    const before = vector(inputNames.statistic(name), parameters.size);
    const after = b.emit("Add", [before, statistic(b, flat, gradient)]);
    handOn(inputNames.statistic(name), after, parameters.size);
  }
  const lossOutput = publish(emitted.value, "float", []);
  const accuracyOutput = emitted.accuracy && publish(emitted.accuracy, "float", []);
  // onnxruntime also runs what nobody reads, such as the Softmax after the logits.
  removeDead(model);
  return {
    masked: options.masked,
    parameters,
    running: running?.layout ?? layOut([]),
    state,
    inputs,
    targets: loss.targets,
    batchSize,
    lossOutput,
    accuracyOutput,
    bytes: modelBytes(scanSteps(model, state, mask ? [mask.name] : [])),
  };
}

const otherFloats: readonly DType[] = ["float16", "bfloat16", "double"];

/** `other` is a weight of another floating-point type. */
function nothingToTrain(graph: Graph, other: Value | undefined, { frozen }: ProgramOptions): EspalierError {
  const dtype = constantOf(other ?? null)?.dtype;
  if (other && dtype) {
    return new EspalierError("unsupported", `its elements are ${dtype}, and only float32 weights are trained`, {
      who: `tensor ${quoted(other.name)}`,
      hint: "Export the model in float32.",
    });
  }
  if (learnableConstants(graph, ["float", ...otherFloats]).some(({ name }) => frozen?.(name))) {
    return new EspalierError("bad-usage", "every tensor that could be trained is frozen", { hint: "Freeze fewer." });
  }
  return new EspalierError("unsupported", "the model has no tensor to train", {
    hint: "It holds no float weights, or they lie in bodies where others have their names.",
  });
}

/** The gradients of the tensors, end to end; zeros where none arrives. */
function pack(b: Builder, weights: readonly Value[], layout: Layout, gradients: ReadonlyMap<Value, Value>): Value {
  const parts = weights.map((weight, i) => {
    const size = b.ints([layout.slices[i].size]);
    const gradient = gradients.get(weight);
    return gradient ? b.emit("Reshape", [gradient, size]) : b.emit("ConstantOfShape", [size]);
  });
  return parts.length === 1 ? parts[0] : b.emit("Concat", parts, { axis: attr.int(0) });
}

/** How many examples a batch holds. */
export function batchOf(inputs: readonly Value[], example: Tensors): number {
  return examplesOf(
    inputs,
    inputs.map(({ name }) => example[name]),
  );
}

/** Likewise, of tensors in the order of the inputs. */
export function examplesOf(inputs: readonly Value[], tensors: readonly Tensor[]): number {
  for (const [i, axis] of exampleAxes(inputs).entries()) if (axis !== null) return tensors[i].dims[axis];
  return 1;
}
