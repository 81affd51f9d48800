import { EspalierError } from "../base/errors.js";

/** What is done to every value of a float input: (value * scale - mean) / std. */
export interface Normalization {
  /** One for all, or one per channel. Default 0. */
  readonly mean?: readonly number[];
  /** One for all, or one per channel. Default 1. */
  readonly std?: readonly number[];
  /** Default 1/255 for uint8 data, so that pixels are in 0 .. 1, and 1 for all others. */
  readonly scale?: number;
}

/** Mean and deviation of ImageNet's pixels in 0 .. 1, which most image models were trained with. */
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

/**
 * Reads `--mean`, `--std` and `--scale` as the user wrote them: numbers separated by commas, `imagenet` as the mean
 * (which sets both), fractions like `1/255` as the scale. Throws `bad-usage`.
 */
export function parseNormalization(text: { mean?: string; std?: string; scale?: string }): Normalization {
  if (text.mean === "imagenet" || text.std === "imagenet") {
    const conflict = [text.mean, text.std].find((value) => value !== undefined && value !== "imagenet");
    if (conflict !== undefined) throw badOption("--mean imagenet", `sets mean and std, but ${conflict} was given too`);
    return { ...imagenet, ...(text.scale === undefined ? {} : { scale: parseScale(text.scale) }) };
  }
  return {
    ...(text.mean === undefined ? {} : { mean: parseNumbers("--mean", text.mean) }),
    ...(text.std === undefined ? {} : { std: parseNumbers("--std", text.std) }),
    ...(text.scale === undefined ? {} : { scale: parseScale(text.scale) }),
  };
}

function parseNumbers(option: string, text: string): number[] {
  return text.split(",").map((part) => {
    const value = Number(part);
    if (part.trim() === "" || !Number.isFinite(value)) throw badOption(option, `'${part}' is not a number`);
    return value;
  });
}

function parseScale(text: string): number {
  const [over, under = 1, ...rest] = text.split("/").map((part) => (part.trim() === "" ? Number.NaN : Number(part)));
  const scale = over / under;
  if (rest.length > 0 || !Number.isFinite(scale)) throw badOption("--scale", `'${text}' is not a number`);
  return scale;
}

function badOption(option: string, what: string): EspalierError {
  return new EspalierError("bad-usage", what, { who: option, hint: "Example: --mean 0.5 --std 0.25,0.25,0.3." });
}

/** Writes one example of `elements` values, which begin at source[from], into out[to ...]. */
export type Scaler = (source: ArrayLike<number>, from: number, out: Float32Array, to: number) => void;

/**
 * The scaler of examples with these dims.
 * @param pixels the values are uint8, so that a table of 256 entries per channel replaces the arithmetic
 * Throws `bad-usage` when mean or std have neither one value nor one per channel.
 */
export function createScaler(
  dims: readonly number[],
  pixels: boolean,
  normalization: Normalization,
  who: string,
): Scaler {
  const { mean = [0], std = [1], scale = pixels ? 1 / 255 : 1 } = normalization;
  if (!Number.isFinite(scale) || scale === 0) throw badOption("--scale", `it must not be ${scale}`);
  for (const value of std) if (!(value > 0 && value < Infinity)) throw badOption("--std", `it must not be ${value}`);
  for (const value of mean) if (!Number.isFinite(value)) throw badOption("--mean", `it must not be ${value}`);
  const elements = dims.reduce((product, dim) => product * dim, 1);
  const uniform = mean.length === 1 && std.length === 1;
  const layout = uniform ? { channels: 1, run: elements } : channelLayout(dims);
  for (const [option, values] of Object.entries({ "--mean": mean, "--std": std })) {
    if (values.length === 1 || values.length === layout.channels) continue;
    throw new EspalierError(
      "bad-usage",
      `${option} has ${values.length} values, the examples [${dims}] have ${layout.channels} channels`,
      { who, hint: "Give one value for all channels, or one for each." },
    );
  }
  const offsets = Array.from({ length: layout.channels }, (_, c) => mean[mean.length === 1 ? 0 : c]);
  const divisors = Array.from({ length: layout.channels }, (_, c) => std[std.length === 1 ? 0 : c]);
  if (pixels) return tableScaler(elements, layout, (value, c) => (value * scale - offsets[c]) / divisors[c]);
  if (uniform && scale === 1 && offsets[0] === 0 && divisors[0] === 1) return copier(elements);
  return (source, from, out, to) => {
    const end = from + elements;
    for (let at = from, c = 0; at < end; c = c + 1 === layout.channels ? 0 : c + 1) {
      const offset = offsets[c];
      const divisor = divisors[c];
      for (const stop = at + layout.run; at < stop; at++) out[to++] = (source[at] * scale - offset) / divisor;
    }
  };
}

/** Channels repeat in runs of `run` values: H*W for [C, H, W], 1 for [H, W, C] and for a vector of features. */
interface ChannelLayout {
  channels: number;
  run: number;
}

function channelLayout(dims: readonly number[]): ChannelLayout {
  if (isChannelsLast(dims)) return { channels: dims[2], run: 1 };
  const channels = dims[0] ?? 1;
  return { channels, run: dims.slice(1).reduce((product, dim) => product * dim, 1) };
}

/** Grey, RGB or RGBA. */
export function isChannelCount(dim: number | string | null): boolean {
  return dim === 1 || dim === 3 || dim === 4;
}

/** Whether dims are those of an image [H, W, C] rather than [C, H, W]: a count of 1, 3 or 4 only at the end. */
export function isChannelsLast(dims: readonly (number | string | null)[]): boolean {
  return dims.length === 3 && isChannelCount(dims[2]) && !isChannelCount(dims[0]);
}

function tableScaler(
  elements: number,
  { channels, run }: ChannelLayout,
  value: (pixel: number, channel: number) => number,
): Scaler {
  const tables = Array.from({ length: channels }, (_, c) => Float32Array.from({ length: 256 }, (_, v) => value(v, c)));
  return (source, from, out, to) => {
    const end = from + elements;
    for (let at = from, c = 0; at < end; c = c + 1 === channels ? 0 : c + 1) {
      const table = tables[c];
      for (const stop = at + run; at < stop; at++) out[to++] = table[source[at]];
    }
  };
}

function copier(elements: number): Scaler {
  return (source, from, out, to) => {
    if (source instanceof Float32Array) out.set(source.subarray(from, from + elements), to);
    else for (let i = 0; i < elements; i++) out[to + i] = source[from + i];
  };
}
