import { createReadStream } from "node:fs";
import { CsvError, parse } from "csv-parse";
import { EspalierError, messageOf } from "../base/errors.js";
import { floatTensor } from "../base/tensor.js";
import type { RawSet, RawSplits } from "./array-dataset.js";
import { readStart } from "./bytes.js";
import { elementsOf } from "./dataset.js";
import { labelsFromNumbers } from "./labels.js";
import type { LoadOptions } from "./options.js";

const labelNames = ["label", "class", "target", "y"];

/**
 * A table of numeric features, separated by commas, semicolons or tabs, with or without a line of column names.
 * The label is the column named label, class, target or y, else the last one; a table exactly as wide as the model's
 * input has none. Labels may be names. A first column without a name (row numbers) is dropped.
 * Throws `bad-data` for fields that are no numbers, lines of unequal length, and broken quotes.
 */
export async function loadCsv(path: string, name: string, options: LoadOptions): Promise<RawSplits> {
  let layout: Layout | undefined;
  let features = new Float32Array(4096);
  let used = 0;
  const labels = new LabelColumn();
  for await (const record of readRecords(path, name)) {
    if (!layout) {
      layout = chooseLayout(record, options);
      if (layout.header) continue;
    }
    if (used + record.length > features.length) {
      const grown = new Float32Array(2 * features.length + record.length);
      grown.set(features);
      features = grown;
    }
    for (const column of layout.features) {
      features[used++] = parseFeature(record[column], column, labels.row, layout, name);
    }
    labels.add(layout.label === null ? "" : record[layout.label]);
  }
  if (!layout || used === 0) throw new EspalierError("bad-data", "the table has no rows of features", { who: name });
  const tensor = floatTensor([labels.row, layout.features.length], features.subarray(0, used));
  const hasLabels = layout.label !== null && options.labels !== "none";
  const train = { name, inputs: [{ name: null, tensor }], labels: hasLabels ? labels.read(name) : null };
  return { train, test: null, classNames: null };
}

async function* readRecords(path: string, who: string): AsyncGenerator<readonly string[]> {
  const delimiter = chooseDelimiter(path);
  const file = createReadStream(path);
  const parser = parse({
    bom: true,
    delimiter,
    skip_empty_lines: true,
    trim: true,
    max_record_size: 2 ** 26,
  });
  file.on("error", (error) => parser.destroy(error));
  try {
    yield* file.pipe(parser);
  } catch (error) {
    const code = error instanceof CsvError ? "bad-data" : "io";
    throw new EspalierError(code, messageOf(error), { who, cause: error });
  } finally {
    file.destroy();
  }
}

/** The separator that occurs most often in the first line. */
function chooseDelimiter(path: string): string {
  const [line] = Buffer.from(readStart(path, 2 ** 16))
    .toString("utf8")
    .split("\n", 1);
  const count = (delimiter: string) => line.split(delimiter).length;
  return [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best));
}

interface Layout {
  /** Column names when the first line holds them. */
  header: readonly string[] | null;
  features: readonly number[];
  label: number | null;
}

function chooseLayout(first: readonly string[], { inputs, labels: choice }: LoadOptions): Layout {
  const names = first.map((field) => field.toLowerCase());
  const named = labelNames.map((name) => names.indexOf(name)).find((column) => column >= 0);
  const isHeader = named !== undefined || namesColumns(first.slice(0, -1));
  const numbered = isHeader && first[0] === "" ? 1 : 0;
  const columns = first.map((_, column) => column).slice(numbered);
  const width = inputs?.length === 1 ? elementsOf(inputs[0].dims) : undefined;
  const last = first.length - 1;
  const allAreFeatures = width === undefined ? choice === "none" : width === columns.length;
  const label = isHeader && named !== undefined ? named : allAreFeatures ? null : last;
  return { header: isHeader ? first : null, features: columns.filter((column) => column !== label), label };
}

/** Of the fields before the last: whether one is a name, and none a value. A first column without a name is no value. */
function namesColumns(fields: readonly string[]): boolean {
  const values = fields.filter(
    (field, column) => isNumber(field) || noValue.test(field) || (field === "" && column > 0),
  );
  return values.length === 0 && fields.some((field) => field !== "");
}

/** What stands in data for a missing or an infinite number. */
const noValue = /^(n\/?a|null|none|missing|\?|-|[+-]?(nan|inf|infinity))$/i;

function isNumber(field: string): boolean {
  return field !== "" && Number.isFinite(Number(field));
}

function parseFeature(field: string, column: number, row: number, { header }: Layout, who: string): number {
  if (isNumber(field)) return Number(field);
  const place = header ? `column '${header[column]}'` : `column ${column + 1}`;
  throw new EspalierError("bad-data", `row ${row + 1}, ${place}: '${field}' is not a number`, {
    who,
    hint: "Fill in or remove missing values, and turn names into numbers.",
  });
}

/** The label column while it is read: every different text is kept once. */
class LabelColumn {
  readonly #texts: string[] = [];
  readonly #kept = new Map<string, string>();

  get row(): number {
    return this.#texts.length;
  }

  add(text: string): void {
    let kept = this.#kept.get(text);
    if (kept === undefined) {
      kept = text;
      this.#kept.set(text, text);
    }
    this.#texts.push(kept);
  }

  /** Names, or numbers when all are. */
  read(who: string): RawSet["labels"] {
    const missing = this.#texts.indexOf("");
    if (missing >= 0) throw new EspalierError("bad-data", `row ${missing + 1} has no label`, { who });
    return [...this.#kept.keys()].every(isNumber) ? labelsFromNumbers(this.#texts.map(Number)) : this.#texts;
  }
}
