import { EspalierError, quoted } from "../../base/errors.js";
import { block } from "./block.js";
import { nOfM } from "./n-of-m.js";
import type { Pattern } from "./pattern.js";
import { single } from "./single.js";

/** No kernel has larger groups or blocks. */
const most = 64;

/** The pattern that `single`, `N:M` (as `2:4`) or `RxC` (as `1x4`, outputs x inputs) names. */
export function parsePattern(text: string): Pattern {
  if (text === single.name) return single;
  const [, first, sign, second] = /^([1-9]\d?)([:x])([1-9]\d?)$/.exec(text) ?? [];
  const [a, b] = [Number(first), Number(second)];
  if (sign === ":" && a < b && b <= most) return nOfM(a, b);
  if (sign === "x" && a <= most && b <= most) return a * b === 1 ? single : block(a, b);
  throw new EspalierError("bad-usage", `there is no pattern ${quoted(text)}`, {
    hint: `Give single, N:M such as 2:4 (N less than M), or RxC such as 1x4; numbers up to ${most}.`,
  });
}
