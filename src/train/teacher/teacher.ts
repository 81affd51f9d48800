import { join } from "node:path";
import { EspalierError, quoted } from "../../base/errors.js";
import { makeFolder } from "../../base/files.js";
import { floatTensor, type Tensor, toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import type { Model, Value } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import type { Session } from "../../run/session.js";
import { type Checkpoint, readCheckpoint, writeCheckpoint } from "../checkpoint.js";
import { fingerprintOf } from "../fingerprint.js";
import type { TargetsFor } from "../loss-graph.js";
import type { TargetName } from "../losses/loss.js";
import { type PredictOptions, predict } from "../predict.js";
import { examplesOf } from "../program.js";
import { type RowShape, rowsOf, tensorOfRows, widthOf } from "./example-rows.js";

/** A model whose answers another one learns from. */
export interface Teacher {
  /** What it says to a batch of examples, given by their positions in the dataset too. */
  targetsFor: TargetsFor;
  /** Frees what it holds of the engine; it can still be asked. */
  release(): Promise<void>;
}

export interface TeacherOptions extends PredictOptions {
  /** A folder that keeps the answers for later runs with the same model, data and values. */
  cache?: string;
  /** Every batch is asked about anew, as it is then: where inputs differ from epoch to epoch. Default false. */
  live?: boolean;
}

/** More is not kept in memory; the teacher is then asked about every batch anew. */
const mostBytes = 2 ** 31;

interface Answers {
  shape: RowShape;
  rows: Float32Array;
}

/**
 * Runs the model over all examples once and keeps what it says, where that takes up to 2 GiB; else the model answers
 * batch by batch.
 * @param wanted values of the model, by the name of the target that they are for. It must be in the form in which
 * `prepareModel` gives it, as the one that learns is.
 * Throws `unsupported` for a value that does not hold the same number of floats for each example.
 */
export async function askTeacher(
  model: Model,
  wanted: ReadonlyMap<TargetName, Value>,
  data: Dataset,
  options: TeacherOptions,
): Promise<Teacher> {
  const shapes = await shapesOf(model, wanted, data, options);
  const bytes = data.size * 4 * [...shapes.values()].reduce((sum, shape) => sum + widthOf(shape), 0);
  if (options.live || bytes > mostBytes) return liveTeacher(model, wanted, options);
  const answers = await cachedAnswers(model, wanted, shapes, data, options);
  return {
    async targetsFor(indices) {
      return Object.fromEntries(
        [...answers].map(([name, { rows, shape }]) => [name, tensorOfRows(rows, shape, indices)]),
      );
    },
    async release() {},
  };
}

/** Where each answer keeps its examples, as the first batch shows. */
async function shapesOf(
  model: Model,
  wanted: ReadonlyMap<TargetName, Value>,
  data: Dataset,
  options: TeacherOptions,
): Promise<Map<TargetName, RowShape>> {
  const values = [...wanted.values()];
  for await (const { batch, outputs } of predict(model, data, options, values)) {
    const ran = examplesOf(model.graph.requiredInputs, batch.inputs);
    return new Map([...wanted].map(([name, value], i) => [name, shapeOf(value, outputs[i], batch.size, ran)]));
  }
  throw new EspalierError("bad-data", "there are no examples", { who: data.name });
}

/** Those of some values that hold floats for each example, of dims that are the same for the first batches. */
export async function usableValues(
  model: Model,
  values: readonly Value[],
  data: Dataset,
  options: TeacherOptions,
): Promise<Value[]> {
  const seen: string[][] = values.map(() => []);
  let batches = 0;
  for await (const { batch, outputs } of predict(model, data, options, values)) {
    const ran = examplesOf(model.graph.requiredInputs, batch.inputs);
    for (const [i, output] of outputs.entries()) {
      const shape = findShape(output, batch.size, ran);
      seen[i].push(shape ? String(shape.dims.filter((_, axis) => axis !== shape.axis)) : "none");
    }
    if (++batches === 2) break;
  }
  return values.filter((_, i) => seen[i].every((dims) => dims !== "none" && dims === seen[i][0]));
}

function findShape({ dims, dtype }: Tensor, wanted: number, ran: number): RowShape | null {
  const axis = dims[0] === wanted ? 0 : dims.indexOf(ran);
  return axis >= 0 && (dtype === "float" || dtype === "float16") ? { dims, axis } : null;
}

function shapeOf(value: Value, output: Tensor, wanted: number, ran: number): RowShape {
  const shape = findShape(output, wanted, ran);
  if (shape) return shape;
  const { dims, dtype } = output;
  throw new EspalierError(
    "unsupported",
    `it cannot be learned from: it does not hold floats for each of ${ran} examples, but ${dtype} [${dims}]`,
    { who: `value ${quoted(value.name)} of the teacher` },
  );
}

async function cachedAnswers(
  model: Model,
  wanted: ReadonlyMap<TargetName, Value>,
  shapes: ReadonlyMap<TargetName, RowShape>,
  data: Dataset,
  options: TeacherOptions,
): Promise<Map<TargetName, Answers>> {
  const { cache } = options;
  if (cache === undefined) return computeAnswers(model, wanted, shapes, data, options);
  const facts = [...wanted].map(([name, value]) => [name, value.name]);
  const fingerprint = await fingerprintOf([modelBytes(model)], [], data, facts);
  const path = join(cache, `${fingerprint.slice(0, 32)}.safetensors`);
  const kept = readAnswers(path, fingerprint);
  if (kept) {
    return new Map([...shapes].map(([name, shape]) => [name, { shape, rows: kept.vectors[name] }]));
  }
  const answers = await computeAnswers(model, wanted, shapes, data, options);
  makeFolder(cache);
  const vectors = Object.fromEntries([...answers].map(([name, { rows }]) => [name, rows]));
  writeCheckpoint(path, { fingerprint, facts: [...shapes.values()], vectors });
  return answers;
}

/** Damaged answers are computed again. */
function readAnswers(path: string, fingerprint: string): Checkpoint | null {
  try {
    return readCheckpoint(path, fingerprint);
  } catch (error) {
    if (error instanceof EspalierError && error.code === "bad-data") return null;
    throw error;
  }
}

async function computeAnswers(
  model: Model,
  wanted: ReadonlyMap<TargetName, Value>,
  shapes: ReadonlyMap<TargetName, RowShape>,
  data: Dataset,
  options: TeacherOptions,
): Promise<Map<TargetName, Answers>> {
  const names = [...wanted.keys()];
  const answers = new Map<TargetName, Answers>();
  for (const [name, shape] of shapes) {
    answers.set(name, { shape, rows: new Float32Array(data.size * widthOf(shape)) });
  }
  for await (const { first, batch, outputs } of predict(model, data, options, [...wanted.values()])) {
    for (const [i, name] of names.entries()) {
      const answer = answers.get(name);
      if (!answer) continue;
      const { shape, rows } = answer;
      const output = outputs[i];
      const width = widthOf(shape);
      const sameDims = output.dims.every((dim, axis) => axis === shape.axis || dim === shape.dims[axis]);
      if (!sameDims || output.dims.length !== shape.dims.length) {
        throw new EspalierError(
          "unsupported",
          `its dims depend on the data: [${shape.dims}] for one batch, [${output.dims}] for another`,
          { who: `value ${quoted(wanted.get(name)?.name ?? name)} of the teacher` },
        );
      }
      rows.set(rowsOf(output, shape.axis, batch.size), first * width);
    }
  }
  return answers;
}

function liveTeacher(
  model: Model,
  wanted: ReadonlyMap<TargetName, Value>,
  { engine, threads }: TeacherOptions,
): Teacher {
  const inputs = model.graph.requiredInputs.map(({ name }) => name);
  const names = [...wanted.values()].map(({ name }) => name);
  let loading: Promise<Session> | null = null;
  return {
    async targetsFor(_, batch) {
      loading ??= engine.load(modelBytes(model, [...wanted.values()]), { threads });
      const session = await loading;
      const feeds = Object.fromEntries(inputs.map((name, i) => [name, batch.inputs[i]]));
      const results = await session.run(feeds, names);
      const floats = (tensor: Tensor) => floatTensor(tensor.dims, toFloat32(tensor));
      return Object.fromEntries([...wanted].map(([target, { name }]) => [target, floats(results[name])]));
    },
    async release() {
      await (await loading)?.release();
      loading = null;
    },
  };
}
