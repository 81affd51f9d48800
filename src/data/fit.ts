import { EspalierError } from "../base/errors.js";
import type { InputSpec } from "./dataset.js";
import { isChannelCount, isChannelsLast } from "./normalize.js";

/** How stored examples become what the model takes: other dims over the same order of values, or channels moved. */
export interface Fit {
  readonly dims: readonly number[];
  readonly move: "none" | "channelsFirst" | "channelsLast";
}

/**
 * Fits examples of shape `have` to an input. Allowed are axes of length 1 that come or go ([28, 28] -> [1, 28, 28]),
 * flattening and its inverse ([784] -> [1, 28, 28]), and channels that move ([32, 32, 3] -> [3, 32, 32]).
 * Without an input, or one that leaves all dims free, pixels become [C, H, W] and all else stays. Throws `bad-data` when nothing fits.
 */
export function fitDims(have: readonly number[], pixels: boolean, input: InputSpec | undefined, who: string): Fit {
  const want = input?.dims;
  const saysNothing = pixels && want?.length === 3 && have.length === 3 && want.every((dim) => typeof dim !== "number");
  if (!want || saysNothing) return fitToImage(have, pixels);
  if (matches(have, want)) return { dims: have, move: "none" };
  const core = have.filter((dim) => dim !== 1);
  const reshaped = [core, [1, ...core], [...core, 1], unflatten(have, want)].find(
    (dims) => dims && matches(dims, want),
  );
  if (reshaped) return { dims: reshaped, move: "none" };
  if (have.length === 3) {
    const [a, b, c] = have;
    if (isChannelCount(c) && matches([c, a, b], want)) return { dims: [c, a, b], move: "channelsFirst" };
    if (isChannelCount(a) && matches([b, c, a], want)) return { dims: [b, c, a], move: "channelsLast" };
  }
  throw new EspalierError(
    "bad-data",
    `examples of shape [${have}] do not fit the model's input '${input.name}' [${want.map((dim) => dim ?? "?")}]`,
    { who, hint: "Bring the data to that shape, or give the data the model was made for." },
  );
}

function fitToImage(have: readonly number[], pixels: boolean): Fit {
  if (pixels && have.length === 2) return { dims: [1, ...have], move: "none" };
  if (pixels && isChannelsLast(have)) return { dims: [have[2], have[0], have[1]], move: "channelsFirst" };
  return { dims: have, move: "none" };
}

function matches(have: readonly number[], want: InputSpec["dims"]): boolean {
  return have.length === want.length && want.every((dim, axis) => typeof dim !== "number" || dim === have[axis]);
}

/** The wanted dims when one side is flat and the counts agree; one free dim is whatever is left. */
function unflatten(have: readonly number[], want: InputSpec["dims"]): number[] | undefined {
  if (have.length !== 1 && want.length !== 1) return undefined;
  const elements = have.reduce((product, dim) => product * dim, 1);
  const known = want.reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1);
  const free = want.filter((dim) => typeof dim !== "number").length;
  if (free > 1 || elements % known !== 0 || (free === 0 && elements !== known)) return undefined;
  return want.map((dim) => (typeof dim === "number" ? dim : elements / known));
}

/** The strides that read stored examples [...have] in the fitted order, for `copyStrided`; null when nothing moves. */
export function fittedStrides([, b, c]: readonly number[], move: Fit["move"]): number[] | null {
  if (move === "channelsFirst") return [1, b * c, c]; // [H, W, C] read as [C, H, W]
  if (move === "channelsLast") return [c, 1, b * c]; // [C, H, W] read as [H, W, C]
  return null;
}
