import { EspalierError, quoted } from "../base/errors.js";
import { sizeOf, type Tensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, setGraphOutputs, setType } from "../graph/edit.js";
import type { Model, Value } from "../graph/ir.js";
import { ancestors } from "../graph/walk.js";
import { modelBytes } from "../onnx/write.js";
import { emitGradients } from "../passes/autodiff.js";
import { removeDead } from "../passes/remove-dead.js";
import type { Engine, Tensors } from "../run/session.js";
import { learnableConstants } from "./learnable.js";
import { emitLoss, type Targets } from "./loss-graph.js";
import type { Loss, TargetName } from "./losses/loss.js";
import { ownConstants } from "./own-constants.js";
import { prepareModel, specializeModel, traceExpanded } from "./prepare.js";
import { batchOf } from "./program.js";

export interface GradientOptions {
  engine: Engine;
  threads?: number;
  /** One batch of every input, by name. */
  inputs: Tensors;
  /**
   * What is differentiated. `mean-square` is the mean of the squares of all elements of all outputs, which needs no
   * targets and serves to compare gradients with those of another implementation.
   */
  loss: Loss | "mean-square";
  /** What the loss compares with, by the names that it asks for: class numbers [N], values of the output's dims. */
  targets?: Partial<Record<TargetName, Tensor>>;
  /** Names of float32 constants of the model. Default: all that training would change. */
  parameters?: readonly string[];
}

export interface Gradients {
  loss: number;
  /** By the name of the constant, of its dims. */
  gradients: Tensors;
}

/**
 * The gradient of a loss with respect to constants of a model, for one batch. BatchNormalization keeps its statistics, as
 * it does when the model runs. The model stays as it is.
 * Throws `bad-usage` for names that are no float32 constants or from which no path leads to the loss, `unsupported` for
 * operators on the way that no gradient passes, `bad-data` when loss, outputs and targets do not fit.
 */
export async function computeGradients(model: Model, options: GradientOptions): Promise<Gradients> {
  const { engine, threads, inputs } = options;
  const chosen = options.loss === "mean-square" ? squaresOfOutputs : options.loss;
  const prepared = prepareModel(model, chosen.values);
  const { graph } = prepared;
  const own = ownConstants(graph);
  for (const name of options.parameters ?? []) assertFloats(own.get(name) ?? null, name);
  const forward = await specializeModel(prepared, inputs, engine);
  const b = new Builder(graph, "gradients/");
  const targets: Targets = {};
  for (const [name, target] of Object.entries(options.targets ?? {})) if (target) targets[name] = target;
  const { value: loss, feeds } = emitLoss(b, chosen, forward, batchOf(graph.requiredInputs, inputs), targets);
  const behind = ancestors([loss]);
  const isOwn = ({ name }: Value) => own.has(name);
  const parameters = options.parameters
    ? options.parameters.flatMap((name) => graph.find(name) ?? [])
    : learnableConstants(graph).filter((value) => isOwn(value) && behind.has(value));
  const trace = await traceExpanded(prepared, { ...inputs, ...feeds }, engine);
  const found = emitGradients(graph, new Map([[loss, b.scalar(1)]]), parameters, trace);
  const reached = new Set([...found.keys()].map(({ name }) => name));
  const lost = options.parameters?.find((name) => !reached.has(name));
  if (lost !== undefined) {
    throw new EspalierError("bad-usage", "no path leads from it to the loss", { who: `tensor ${quoted(lost)}` });
  }
  setGraphOutputs(graph, []);
  const publish = (value: Value, dims: readonly number[]) => {
    const output = b.emit("Identity", [value]);
    setType(output, { dtype: "float", dims });
    addGraphOutput(graph, output);
    return output.name;
  };
  const lossName = publish(loss, []);
  const names = [...found].map(([parameter, gradient]) => [parameter.name, publish(gradient, trace.dims(parameter))]);
  removeDead(prepared);
  const session = await engine.load(modelBytes(prepared), { threads });
  try {
    const needed = new Set(graph.requiredInputs.map(({ name }) => name));
    const all = Object.entries({ ...inputs, ...feeds }).filter(([name]) => needed.has(name));
    const results = await session.run(Object.fromEntries(all));
    return {
      loss: toFloat32(results[lossName])[0],
      gradients: Object.fromEntries(names.map(([name, output]) => [name, results[output]])),
    };
  } finally {
    await session.release();
  }
}

/** The mean of the squares of all float elements that the model gives. */
const squaresOfOutputs: Loss = {
  name: "mean-square",
  targets: [],
  emit({ builder: b, dims, dtype }) {
    const outputs = b.graph.outputs.filter((output) => dtype(output) === "float");
    const count = outputs.reduce((sum, output) => sum + sizeOf(dims(output)), 0);
    if (count === 0) throw new EspalierError("unsupported", "the model gives no float32 numbers to differentiate");
    const sums = outputs.map((output) => b.emit("ReduceSumSquare", [output], { keepdims: attr.int(0) }));
    return b.emit("Mul", [sums.length === 1 ? sums[0] : b.emit("Sum", sums), b.scalar(1 / count)]);
  },
};

function assertFloats(value: Value | null, name: string): void {
  const tensor = constantOf(value);
  if (tensor?.dtype === "float") return;
  const what = tensor
    ? `its elements are ${tensor.dtype}`
    : "the model has no constant of this name, or several values";
  throw new EspalierError("bad-usage", `there is no gradient: ${what}`, { who: `tensor ${quoted(name)}` });
}
