import { totalmem } from "node:os";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EspalierError, messageOf } from "../base/errors.js";
import { fromNumbers, Tensor, toNumbers } from "../base/tensor.js";
import type { RawInput, RawSet, RawSplits } from "./array-dataset.js";
import { elementsOf, type InputSpec } from "./dataset.js";
import { describe, isTensorLike, isTypedArray, tensorFromJs } from "./js-array.js";
import { labelsFromNumbers } from "./labels.js";
import type { LoadOptions } from "./options.js";
import { chooseParts, type PartName, partNamed } from "./parts.js";

/**
 * Runs a JavaScript module and reads its default export: `{ inputs, labels?, classNames? }`, an array of examples
 * without labels, an iterable or async iterable of such batches, `{ train, test? }` of any of these, or a function
 * (async too) that returns one. `inputs` is an array with one row per example, or an object of such arrays by the names
 * of the model's inputs; what is the same for all examples is given once, a scalar as a number. Batches are collected in memory, so that they can be shuffled.
 * Throws `bad-data` for anything else, and when the module throws or gives more than half the machine's memory.
 */
export async function loadModule(path: string, name: string, options: LoadOptions): Promise<RawSplits> {
  const value = await evaluate(path, name);
  const parts =
    isRecord(value) && Object.keys(value).some(partNamed) ? partsOf(value) : new Map([["whole", value] as const]);
  const chosen = chooseParts<unknown>(parts);
  if (!chosen) throw unknownShape(value, name);
  const { train, test } = chosen;
  return {
    train: await readSet(train, test === null ? name : `${name} (train)`, options),
    test: test === null ? null : await readSet(test, `${name} (test)`, options),
    classNames: classNamesOf(value) ?? classNamesOf(train),
  };
}

async function evaluate(path: string, who: string): Promise<unknown> {
  try {
    const module: unknown = await import(pathToFileURL(resolve(path)).href);
    const exported = isRecord(module) ? module.default : undefined;
    return typeof exported === "function" ? await exported() : await exported;
  } catch (error) {
    throw new EspalierError("bad-data", `the module threw: ${messageOf(error)}`, { who, cause: error });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isTypedArray(value);
}

function partsOf(value: Record<string, unknown>): Map<PartName | "whole", unknown> {
  const parts = new Map<PartName | "whole", unknown>();
  for (const [key, part] of Object.entries(value)) {
    const name = partNamed(key);
    if (name) parts.set(name, part);
  }
  return parts;
}

function classNamesOf(value: unknown): string[] | null {
  return isRecord(value) && isStringArray(value.classNames) ? value.classNames : null;
}

function isStringArray(value: unknown): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "string");
}

function unknownShape(value: unknown, who: string): EspalierError {
  return new EspalierError("bad-data", `the default export is ${describe(value)}`, {
    who,
    hint: "Export { inputs, labels }, an array of examples, an iterable of batches, or a function that returns one.",
  });
}

async function readSet(value: unknown, name: string, options: LoadOptions): Promise<RawSet> {
  const set = isBatches(value) ? await collectBatches(value, name, options) : readBatch(value, name, options);
  const { labels } = set;
  const untyped = labels instanceof Tensor && labels.dtype === "double" && labels.dims.length === 1;
  return untyped ? { ...set, labels: labelsFromNumbers(toNumbers(labels)) } : set;
}

function isBatches(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (Array.isArray(value)) return isRecord(value[0]) && "inputs" in value[0];
  return isRecord(value) && (Symbol.asyncIterator in value || Symbol.iterator in value);
}

function readBatch(value: unknown, name: string, { inputs: specs }: LoadOptions): RawSet {
  const hasInputs = isRecord(value) && "inputs" in value;
  if (!hasInputs && !Array.isArray(value) && !isTypedArray(value) && !isTensorLike(value))
    throw unknownShape(value, name);
  const inputs = hasInputs ? value.inputs : value;
  const given = hasInputs && value.labels !== undefined ? value.labels : null;
  const labels = given === null || isStringArray(given) ? given : tensorFromJs(given, `${name}, labels`);
  const count = labels instanceof Tensor ? labels.dims[0] : labels?.length;
  const read = (input: unknown, key: string | null, spec: InputSpec | undefined): RawInput => {
    const isNumber = typeof input === "number" || typeof input === "bigint";
    if (isNumber && key !== null) return { name: key, tensor: fromNumbers("double", [], [Number(input)]) };
    const tensor = tensorFromJs(input, key === null ? `${name}, inputs` : `${name}, input '${key}'`);
    const isFlat = isTypedArray(input) && spec?.exampleAxis !== null;
    return { name: key, tensor: isFlat ? splitExamples(tensor, count, spec) : tensor };
  };
  if (!isRecord(inputs) || isTensorLike(inputs)) return { name, inputs: [read(inputs, null, specs?.[0])], labels };
  const named = Object.entries(inputs).map(([key, input]) => {
    return read(
      input,
      key,
      specs?.find((spec) => spec.name === key),
    );
  });
  if (named.length === 0) throw new EspalierError("bad-data", "inputs is an empty object", { who: name });
  return { name, inputs: named, labels };
}

/** A flat typed array holds as many examples as there are labels, else as many as the model's input divides it into. */
function splitExamples(flat: Tensor, labelCount: number | undefined, spec: InputSpec | undefined): Tensor {
  const elements = spec && elementsOf(spec.dims);
  const count = labelCount ?? (elements ? flat.size / elements : flat.size);
  const dims = [count, flat.size / count];
  return count !== flat.size && dims.every(Number.isInteger) ? Tensor.fromArray(flat.dtype, dims, flat.array) : flat;
}

async function collectBatches(
  batches: AsyncIterable<unknown> | Iterable<unknown>,
  name: string,
  options: LoadOptions,
): Promise<RawSet> {
  const sets: RawSet[] = [];
  const limit = totalmem() / 2;
  let bytes = 0;
  try {
    for await (const batch of batches) {
      const set = readBatch(batch, `${name}, batch ${sets.length}`, options);
      for (const { tensor } of set.inputs) bytes += tensor.byteLength;
      if (bytes > limit)
        throw new EspalierError("bad-data", `the batches exceed ${Math.floor(limit)} bytes`, {
          who: name,
          hint: "End the iterable earlier.",
        });
      sets.push(set);
    }
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    throw new EspalierError("bad-data", `the module threw: ${messageOf(error)}`, { who: name, cause: error });
  }
  if (sets.length === 0) throw new EspalierError("bad-data", "there are no batches", { who: name });
  const inputs = sets[0].inputs.map(({ name: key }, position) => {
    const tensors = sets.map((set) => set.inputs.find((input) => input.name === key)?.tensor);
    const who = `${name}, input ${key ?? position}`;
    const isShared = options.inputs?.find((spec) => spec.name === key)?.exampleAxis === null;
    return { name: key, tensor: isShared ? sameInAll(tensors, who) : concatenate(tensors, who) };
  });
  return { name, inputs, labels: concatenateLabels(sets, name) };
}

function concatenateLabels(sets: readonly RawSet[], name: string): RawSet["labels"] {
  const labels = sets.map((set) => set.labels);
  if (labels.every((list) => list === null)) return null;
  const names = labels.flatMap((list) => (list === null || list instanceof Tensor ? [] : [list]));
  if (names.length === labels.length) return names.flat();
  const tensors = labels.map((list) => (list instanceof Tensor ? list : undefined));
  return concatenate(tensors, `${name}, labels`);
}

/** What all batches give alike. */
function sameInAll([first, ...others]: readonly (Tensor | undefined)[], who: string): Tensor {
  const isSame = (tensor: Tensor | undefined) =>
    tensor && first && tensor.dtype === first.dtype && Buffer.compare(tensor.bytes, first.bytes) === 0;
  if (first && others.every(isSame)) return first;
  throw new EspalierError("bad-data", "the batches differ, the model takes one for all examples", { who });
}

/** Joins arrays [N_i, ...] of one type and shape along the first axis. */
function concatenate(tensors: readonly (Tensor | undefined)[], who: string): Tensor {
  const [first] = tensors;
  const rest = first?.dims.slice(1) ?? [];
  const joined: Tensor[] = [];
  for (const [position, tensor] of tensors.entries()) {
    const same = tensor && tensor.dtype === first?.dtype && `${tensor.dims.slice(1)}` === `${rest}`;
    if (!same) {
      const got = tensor ? `${tensor.dtype} [${tensor.dims}]` : "nothing";
      const expected = first ? `${first.dtype} [N${rest.map((dim) => `,${dim}`).join("")}]` : "nothing";
      throw new EspalierError("bad-data", `batch 0 has ${expected}, batch ${position} has ${got}`, { who });
    }
    joined.push(tensor);
  }
  const bytes = new Uint8Array(joined.reduce((sum, tensor) => sum + tensor.byteLength, 0));
  let at = 0;
  for (const tensor of joined) {
    bytes.set(tensor.bytes, at);
    at += tensor.byteLength;
  }
  const count = joined.reduce((sum, tensor) => sum + tensor.dims[0], 0);
  return new Tensor(joined[0].dtype, [count, ...rest], () => bytes);
}
