// Numbers for people: the same in messages, in the terminal and in reports.

/** 61706 -> "61,706", 0.5 -> "0.5". */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: 3 });
}

/** Three significant digits with an SI prefix: 416520 -> "417 k", 12 -> "12". */
export function formatShort(value: number): string {
  return scaled(value, ["", "k", "M", "G", "T"]);
}

/** Decimal units, as file sizes are commonly given: 246824 -> "247 kB". */
export function formatBytes(bytes: number): string {
  return scaled(bytes, ["B", "kB", "MB", "GB", "TB"]);
}

function scaled(value: number, units: readonly string[]): string {
  let rest = value;
  let unit = 0;
  // 999.5 would be shown as 1000: it belongs to the next unit.
  while (Math.abs(rest) >= 999.5 && unit < units.length - 1) {
    rest /= 1000;
    unit++;
  }
  const digits = unit === 0 || rest >= 99.95 ? 0 : rest >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[unit]}`.trimEnd();
}

/**
 * A share of 1: 0.8978 -> "89.78 %". Only 1 is "100.00 %" and only 0 is "0.00 %"; what would round to them gets the
 * digits it needs: 0.99999 -> "99.999 %".
 */
export function formatPercent(share: number, digits = 2): string {
  const percent = share * 100;
  for (let shown = digits; shown < 10; shown++) {
    const text = percent.toFixed(shown);
    const rounded = Number(text);
    if ((rounded === 100) === (share === 1) && (rounded === 0) === (share === 0)) return `${text} %`;
  }
  return `${percent} %`;
}

/** 0.0123 -> "0.0123 ms", 12.345 -> "12.3 ms", 1500 -> "1.50 s". */
export function formatMilliseconds(milliseconds: number): string {
  if (milliseconds >= 1000) return `${(milliseconds / 1000).toPrecision(3)} s`;
  return `${Number(milliseconds.toPrecision(3))} ms`;
}

/** Four digits behind the point, or three significant ones where that would be nothing: 0.40412 -> "0.4041". */
export function formatLoss(loss: number): string {
  return Math.abs(loss) >= 1e-3 || loss === 0 ? loss.toFixed(4) : loss.toExponential(2);
}

/** With a real minus sign, and "±0" where nothing is left after rounding: -0.374, 2 digits -> "−0.37". */
export function formatSigned(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return "±0";
  return `${value < 0 ? "−" : "+"}${text}`;
}
