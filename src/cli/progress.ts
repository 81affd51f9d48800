import { formatClock } from "./format.js";

const barWidth = 24;
const redrawEvery = 100;

/** A progress bar in the last line of a terminal. */
export class ProgressBar {
  readonly label: string;
  readonly #stream: NodeJS.WriteStream;
  readonly #started = performance.now();
  #line = "";
  #drawn = Number.NEGATIVE_INFINITY;

  constructor(label: string, stream: NodeJS.WriteStream) {
    this.label = label;
    this.#stream = stream;
  }

  update(done: number, total: number, remark: string): void {
    const now = performance.now();
    if (now - this.#drawn < redrawEvery && done < total) return;
    this.#drawn = now;
    this.#line = progressLine(this.label, done, total, (now - this.#started) / 1000, remark);
    this.draw();
  }

  draw(): void {
    if (!this.#line) return;
    // A line as wide as the terminal would wrap and could not be taken back.
    const width = (this.#stream.columns || 80) - 1;
    this.#stream.write(`\r${[...this.#line].slice(0, width).join("")}\x1b[K`);
  }

  clear(): void {
    if (this.#line) this.#stream.write("\r\x1b[K");
  }
}

/** `train  ███████▌                  31 %  1:05 of 3:27  loss 0.31` */
export function progressLine(label: string, done: number, total: number, seconds: number, remark: string): string {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  const whole = Math.floor(share * barWidth);
  const half = share * barWidth - whole >= 0.5 ? "▌" : "";
  const bar = `${"█".repeat(whole)}${half}`.padEnd(barWidth);
  const time = done > 0 ? `${formatClock(seconds)} of ${formatClock(seconds / share)}` : formatClock(seconds);
  return `${label}  ${bar}  ${String(Math.floor(share * 100)).padStart(3)} %  ${time}  ${remark}`.trimEnd();
}
