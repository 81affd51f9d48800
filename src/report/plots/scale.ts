/** The values an axis covers; `from` < `to`. */
export interface Domain {
  from: number;
  to: number;
}

/**
 * Covers all finite values; null, NaN and infinities are gaps. One value gets room on both sides, none gives [0, 1].
 * [3, NaN, 5] -> 3 .. 5; [0.9] -> 0.81 .. 0.99; [0] -> -1 .. 1
 */
export function domainOf(values: Iterable<number | null>): Domain {
  let from = Number.POSITIVE_INFINITY;
  let to = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!isDrawable(value)) continue;
    from = Math.min(from, value);
    to = Math.max(to, value);
  }
  if (from > to) return { from: 0, to: 1 };
  if (from < to) return { from, to };
  const room = Math.abs(from) / 10 || 1;
  return { from: from - room, to: to + room };
}

export function isDrawable(value: number | null): value is number {
  return value !== null && Number.isFinite(value);
}

/** Where a value lies on an axis, as a percentage of its length. */
export function positionOf(value: number, { from, to }: Domain): number {
  // Halved first: the difference of two huge numbers of different sign is infinite.
  return 100 * ((value / 2 - from / 2) / (to / 2 - from / 2));
}

export interface Tick {
  value: number;
  text: string;
}

/**
 * Round numbers inside the domain, 1, 2 or 5 times a power of ten apart, about `count` of them, each with as many digits
 * as tell them apart.
 * 0 .. 1, 4 -> 0, 0.2, 0.4, 0.6, 0.8, 1.0; 0 .. 30000, 3 -> 0, 10 k, 20 k, 30 k
 */
export function ticksOf({ from, to }: Domain, count = 4): Tick[] {
  const step = niceStep(to / count - from / count);
  // Tolerance: 0.3 / 0.1 is 2.9999999999999996.
  const first = Math.ceil(from / step - 1e-9);
  const last = Math.floor(to / step + 1e-9);
  const values = Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => (first + i) * step);
  const largest = Math.max(...values.map(Math.abs));
  const thousands = largest >= 1e4 ? Math.min(prefixes.length - 1, Math.floor(Math.log10(largest) / 3)) : 0;
  return values.map((value) => ({
    value,
    text: textOf(value / 1000 ** thousands, step / 1000 ** thousands, prefixes[thousands]),
  }));
}

const prefixes = ["", " k", " M", " G", " T"];

/** The number among 1, 2, 5 times a power of ten that is nearest to `rough`, as a ratio. */
function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  // Borders at the geometric means of 1, 2, 5, 10.
  return power * (lead < Math.SQRT2 ? 1 : lead < Math.sqrt(10) ? 2 : lead < Math.sqrt(50) ? 5 : 10);
}

/** A multiple of `step` with the digits it needs: 0.30000000000000004 and 0.1 -> "0.3" */
function textOf(value: number, step: number, prefix: string): string {
  if (Math.abs(value) < step / 2) return "0";
  const size = Math.abs(value);
  const place = Math.floor(Math.log10(step) + 1e-9);
  const digits = Math.max(0, -place);
  const plain = size < 1e6 && (size >= 1e-3 || digits <= 6);
  const text = plain
    ? size.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits })
    : size.toExponential(Math.floor(Math.log10(size) + 1e-9) - place);
  return `${value < 0 ? "−" : ""}${text}${prefix}`;
}
