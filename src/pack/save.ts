import { mkdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { EspalierError, messageOf } from "../base/errors.js";
import { assertWritable } from "../base/files.js";
import { assertGoesOn } from "../base/interruption.js";
import { clearLeftovers, temporaryPath } from "../base/temporary.js";
import type { Model } from "../graph/ir.js";
import { writeModel } from "../onnx/file.js";
import { modelBytes } from "../onnx/write.js";
import { type ExampleOptions, exampleInputs } from "../run/example.js";
import type { Engine, Tensors } from "../run/session.js";
import { findDifference } from "./difference.js";

export interface SaveOptions extends ExampleOptions {
  /** Replace an existing file. Default false: an existing file is an error. */
  force?: boolean;
  /** Keep tensors as `sparse_initializer` where that takes fewer bytes. Default false. */
  sparse?: boolean;
  /** Keep large tensors in a second file, `path` with `.data` after it. Default false. */
  externalData?: boolean;
  /** Files that must stay as they are, such as the one the model was read from. */
  keep?: readonly string[];
  /** Runtimes that must load the written file and compute the same from it. */
  engines: readonly Engine[];
  threads?: number;
  /** Stops between two runs of the check with the error `interrupted`; nothing is written then. */
  signal?: AbortSignal;
}

const stoppedChecking = "stopped while the file was checked; it is not written";

/** What is known about a written file. */
export interface SavedModel {
  path: string;
  /** Names of the runtimes that load it and compute what the model in memory does. */
  checked: readonly string[];
  /** Runtimes that could not judge: they do not run the model in memory either. */
  unchecked: readonly { engine: string; reason: string }[];
}

/**
 * Writes a model and checks what was written: each engine loads the file, runs it on made-up inputs, and must give what
 * it gives for the model in memory, to 1e-5 of the largest magnitude of each output. Only then the file takes its name;
 * until then it lies in a folder of its own beside it, so that a failure of any kind leaves nothing and loses nothing.
 * Throws `bad-usage` when a file is in the way, `io` when it cannot be written, `runtime` when the check fails,
 * `interrupted` when the signal stopped it.
 */
export async function saveModel(model: Model, path: string, options: SaveOptions): Promise<SavedModel> {
  assertTarget(path, options);
  const name = basename(path);
  const dataName = `${name}.data`;
  const dataPath = `${path}.data`;
  let folder: string | undefined;
  const clear = () => folder !== undefined && rmSync(folder, { recursive: true, force: true });
  // A process that is told to end at once does not come to `finally`.
  process.once("exit", clear);
  try {
    clearLeftovers(dirname(path));
    folder = temporaryPath(dirname(path));
    mkdirSync(folder);
    const draft = join(folder, name);
    writeModel(model, draft, { sparse: options.sparse, externalData: options.externalData });
    const hasData = statSync(join(folder, dataName), { throwIfNoEntry: false }) !== undefined;
    const externalData = hasData ? { [dataName]: join(folder, dataName) } : {};
    const result = await check(model, draft, externalData, options);
    assertGoesOn(options.signal, stoppedChecking);
    // Another run may have written there meanwhile.
    assertTarget(path, options);
    // The model refers to its data, so that it comes last.
    if (hasData) renameSync(join(folder, dataName), dataPath);
    renameSync(draft, path);
    return { path, ...result };
  } catch (cause) {
    // Of the draft nobody knows.
    const inDraft = cause instanceof EspalierError && folder !== undefined && cause.who?.startsWith(folder);
    if (inDraft) throw new EspalierError(cause.code, cause.what, { who: path, hint: cause.hint, cause });
    if (cause instanceof EspalierError) throw cause;
    throw new EspalierError("io", `cannot write: ${messageOf(cause)}`, { who: path, cause });
  } finally {
    clear();
    process.off("exit", clear);
  }
}

/**
 * Throws unless a model can be written to `path` without touching the files to keep. Call it before long work, so that
 * nothing is computed in vain.
 */
export function assertTarget(
  path: string,
  { force, externalData, keep = [] }: Pick<SaveOptions, "force" | "externalData" | "keep">,
): void {
  for (const target of externalData ? [path, `${path}.data`] : [path]) {
    if (keep.some((kept) => isSameFile(target, kept))) {
      throw new EspalierError("bad-usage", "this would overwrite the input", {
        who: target,
        hint: "Give the output another name.",
      });
    }
    assertWritable(target, { force });
  }
}

/** Whether two paths lead to one file, links included. */
function isSameFile(a: string, b: string): boolean {
  const [first, second] = [a, b].map(identityOf);
  return first !== null && first === second;
}

function identityOf(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

async function check(
  model: Model,
  draft: string,
  externalData: Readonly<Record<string, string>>,
  { engines, threads, seed, shapes, signal }: SaveOptions,
): Promise<Omit<SavedModel, "path">> {
  const checked: string[] = [];
  const unchecked: { engine: string; reason: string }[] = [];
  const feeds = await attempt(async () => exampleInputs(model, { seed, shapes }));
  for (const engine of engines) {
    const reference = () => compute(engine, modelBytes(model), feeds, { threads });
    assertGoesOn(signal, stoppedChecking);
    const wanted = await attempt(reference);
    assertGoesOn(signal, stoppedChecking);
    const got = await attempt(() => compute(engine, draft, feeds, { threads, externalData }));
    if (wanted instanceof Error) {
      unchecked.push({ engine: engine.name, reason: messageOf(wanted) });
      continue;
    }
    const problem = got instanceof Error ? messageOf(got) : findDifference(wanted, got);
    // A model that draws random numbers gives something else every time.
    if (problem !== null && (got instanceof Error || !findDifference(wanted, await reference()))) {
      throw new EspalierError("runtime", `${engine.name} does not agree with what was to be written: ${problem}`, {
        hint: "Nothing was written. Please report this model.",
      });
    }
    checked.push(engine.name);
  }
  return { checked, unchecked };
}

async function compute(
  engine: Engine,
  model: Uint8Array | string,
  feeds: Tensors | Error,
  options: { threads?: number; externalData?: Readonly<Record<string, string>> },
): Promise<Tensors> {
  const session = await engine.load(model, options);
  try {
    if (feeds instanceof Error) throw feeds;
    return await session.run(feeds);
  } finally {
    await session.release();
  }
}

/** The result, or the error that came instead. */
async function attempt<T>(work: () => Promise<T>): Promise<T | Error> {
  try {
    return await work();
  } catch (error) {
    return error instanceof Error ? error : new Error(messageOf(error));
  }
}
