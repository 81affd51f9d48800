import { InvalidArgumentError, Option } from "@commander-js/extra-typings";

// Options that several commands share: one name, one meaning.

export const jsonOption = new Option("--json", "print one JSON object on stdout");
export const quietOption = new Option("--quiet", "no progress on stderr");
export const outOption = new Option("-o, --out <file>", "ONNX file to write").makeOptionMandatory();
export const forceOption = new Option("--force", "replace an existing file");
export const externalDataOption = new Option(
  "--external-data",
  "keep large tensors in a second file, OUT.data, as models over 2 GB must",
);
export const seedOption = new Option("--seed <number>", "seed of everything random")
  .argParser(wholeNumber(0))
  .default(1);
export const threadsOption = new Option(
  "--threads <number>",
  "threads of onnxruntime (default: one per core)",
).argParser(wholeNumber(1, 1024));
export const shapeOption = new Option(
  "--shape <name=dims>",
  "dims of an input with free axes, as in input=1x3x224x224; may be repeated (default: 1 for each free axis)",
).argParser(shapes);

/** A parser for whole numbers from `low` to `high`. */
export function wholeNumber(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= low && value <= high) return value;
    const range = high === Number.MAX_SAFE_INTEGER ? `from ${low}` : `from ${low} to ${high}`;
    throw new InvalidArgumentError(`Expected a whole number ${range}.`);
  };
}

/** A parser for any finite number. */
export function number(text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new InvalidArgumentError("Expected a number.");
}

/** A parser for numbers in a range, the ends excluded where `open` says so. */
export function numberIn(
  low: number,
  high: number,
  { openLow = false, openHigh = false } = {},
): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    const inside = (openLow ? value > low : value >= low) && (openHigh ? value < high : value <= high);
    if (inside && Number.isFinite(value)) return value;
    const above = `${openLow ? "above" : "from"} ${low}`;
    const range = high === Number.POSITIVE_INFINITY ? above : `${above} ${openHigh ? "and below" : "to"} ${high}`;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };
}

const byteUnits: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

/** "100kB" -> 100000, "1.5 MiB" -> 1572864, "4096" -> 4096. */
export function byteCount(text: string): number {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text) ?? [];
  const factor = byteUnits[(unit ?? "").toLowerCase()];
  const bytes = Math.floor(Number(number) * (factor ?? Number.NaN));
  if (bytes >= 1) return bytes;
  throw new InvalidArgumentError("Expected a size such as 100kB, 1.5MB or 4096.");
}

/** Collects `--shape input=1x3x224x224`; commander hands in what earlier ones gave. */
export function shapes(
  text: string,
  before: Readonly<Record<string, readonly number[]>> | undefined,
): Record<string, readonly number[]> {
  const at = text.lastIndexOf("=");
  const dims = text
    .slice(at + 1)
    .split(/[x,]/)
    .map((part) => (/^\d+$/.test(part) ? Number(part) : Number.NaN));
  if (at < 1 || dims.some((dim) => !(dim >= 1 && dim <= 2 ** 31))) {
    throw new InvalidArgumentError("Expected a name and dims, such as input=1x3x224x224.");
  }
  return { ...before, [text.slice(0, at)]: dims };
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

/** Collects `'fc*=0.9'`; commander hands in what earlier ones gave. */
export function withRecord(
  text: string,
  before: Readonly<Record<string, number>> | undefined,
  parse: (text: string) => number,
): Record<string, number> {
  const at = text.lastIndexOf("=");
  if (at < 1) throw new InvalidArgumentError("Expected a pattern and a number, such as 'fc*=0.9'.");
  return { ...before, [text.slice(0, at)]: parse(text.slice(at + 1)) };
}
