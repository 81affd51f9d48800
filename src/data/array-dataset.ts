import { EspalierError } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import { type BatchedColumn, batchColumn } from "./batched-column.js";
import type { Batch, DataSplits, Dataset, InputSpec } from "./dataset.js";
import { assertClassesBelow, classPerExample, createLabels, createNamedLabels, type Labels } from "./labels.js";
import type { LoadOptions } from "./options.js";
import { assertIndices, gatherRows } from "./rows.js";

/** Whole arrays as a file holds them, nothing converted or checked yet. */
export interface RawSet {
  readonly name: string;
  readonly inputs: readonly RawInput[];
  /** An array [N, ...], or the name of each example's class. */
  readonly labels: Tensor | readonly string[] | null;
}

export interface RawInput {
  /** Null where the file has no names: inputs then go by position. */
  readonly name: string | null;
  /** [N, ...] */
  readonly tensor: Tensor;
}

export interface RawSplits {
  readonly train: RawSet;
  readonly test: RawSet | null;
  /** Null: unknown, or named by the labels themselves. */
  readonly classNames: readonly string[] | null;
}

/**
 * Datasets over arrays in memory. Both parts share one list of classes.
 * Throws `bad-data` when counts differ, shapes do not fit the model, or labels or values are out of range.
 */
export function createArrayDatasets({ train, test, classNames }: RawSplits, options: LoadOptions): DataSplits {
  const names = classNames ?? namesIn([train.labels, test?.labels ?? null]);
  const trainLabels = readLabels(train, names, options.labels);
  const testLabels = test && readLabels(test, names, options.labels ?? trainLabels?.kind);
  const seen = Math.max(trainLabels?.classCount ?? 0, testLabels?.classCount ?? 0);
  const classCount = options.classCount ?? names?.length ?? seen;
  const build = (raw: RawSet, labels: Labels | null) => createArrayDataset(raw, labels, names, classCount, options);
  return { train: build(train, trainLabels), test: test && build(test, testLabels) };
}

function namesIn(lists: readonly RawSet["labels"][]): string[] | null {
  const strings = lists.filter((list) => list !== null && isNameList(list));
  return strings.length === 0 ? null : [...new Set(strings.flat())].sort();
}

function readLabels(raw: RawSet, names: readonly string[] | null, choice: LoadOptions["labels"]): Labels | null {
  if (raw.labels === null || choice === "none") return null;
  const who = `the labels of ${raw.name}`;
  if (!isNameList(raw.labels)) return createLabels(raw.labels, choice, who);
  if (choice !== "value") return createNamedLabels(raw.labels, names ?? [], who);
  throw new EspalierError("bad-data", `'${raw.labels[0]}' is not a number`, { who, hint: "Name the classes, then." });
}

function isNameList(labels: Tensor | readonly string[]): labels is readonly string[] {
  return Array.isArray(labels);
}

function createArrayDataset(
  raw: RawSet,
  labels: Labels | null,
  names: readonly string[] | null,
  classCount: number,
  { inputs: specs, normalization = {} }: LoadOptions,
): Dataset {
  const columns = orderInputs(raw, specs).map((input, position) => {
    const who = input.name === null ? raw.name : `${raw.name}, array '${input.name}'`;
    return batchColumn(input.tensor, specs?.[position], normalization, who);
  });
  const size = assertEqualCounts(columns, labels, raw.name);
  const isClass = labels?.kind === "class";
  if (labels && isClass) assertClassesBelow(labels, classCount, raw.name);
  return {
    name: raw.name,
    size,
    inputDims: columns.map((column) => column.dims),
    labelKind: labels?.kind ?? null,
    classCount: isClass ? classCount : null,
    classNames: isClass ? names : null,
    classes: labels && classPerExample(labels),
    async read(indices): Promise<Batch> {
      assertIndices(indices, size, raw.name);
      return {
        inputs: columns.map((column) => column.batch(indices)),
        labels: labels && gatherRows(labels.tensor, indices),
        size: indices.length,
      };
    },
  };
}

/** The arrays in the order of the model's inputs: by name where the names are the model's, else by position. */
function orderInputs(raw: RawSet, specs: readonly InputSpec[] | undefined): readonly RawInput[] {
  if (!specs) return raw.inputs;
  const named = specs.map((spec) => raw.inputs.find((input) => input.name === spec.name));
  if (named.every((input) => input !== undefined)) return named;
  if (specs.length === raw.inputs.length) return raw.inputs;
  throw new EspalierError(
    "bad-data",
    `the model takes ${specs.length} inputs (${specs.map((spec) => spec.name).join(", ")}), the data hold ${raw.inputs.length}`,
    { who: raw.name, hint: "Give an NPZ file or a JS module with one array per input, under these names." },
  );
}

function assertEqualCounts(columns: readonly BatchedColumn[], labels: Labels | null, who: string): number {
  const counts = columns.flatMap(({ size: count }, position) => (count === null ? [] : [{ count, position }]));
  if (counts.length === 0)
    throw new EspalierError("bad-data", "no input of the model has an axis for examples", { who });
  const [{ count: size, position: first }] = counts;
  for (const { count, position } of counts) {
    if (count === size) continue;
    throw new EspalierError("bad-data", `input ${first} has ${size} examples, input ${position} has ${count}`, {
      who,
      hint: "Every input needs one row per example.",
    });
  }
  const labelled = labels?.tensor.dims[0] ?? size;
  if (labelled !== size) {
    throw new EspalierError("bad-data", `there are ${size} examples but ${labelled} labels`, {
      who,
      hint: "Give the labels that belong to these examples.",
    });
  }
  return size;
}
