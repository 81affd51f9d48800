import { styleText } from "node:util";
import { ProgressBar } from "./progress.js";

export interface TerminalOptions {
  /** One JSON object on stdout instead of text. */
  json?: boolean;
  /** No progress on stderr. */
  quiet?: boolean;
}

type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/**
 * Where a command writes: its result on stdout, once, as text or as one JSON object; everything on the way there
 * (progress, notes, warnings) on stderr.
 */
export class Terminal {
  readonly #options: TerminalOptions;
  #bar: ProgressBar | null = null;

  constructor(options: TerminalOptions = {}) {
    this.#options = options;
  }

  /** The result of the command. `render` is called only when text is wanted. */
  result(value: object, render: () => string): void {
    this.#endBar();
    const text = this.#options.json ? JSON.stringify(value) : render();
    process.stdout.write(`${text}\n`);
  }

  /** A line about what happens meanwhile; not shown with --quiet. */
  note(line: string): void {
    if (!this.#options.quiet) this.#writeLine(line);
  }

  /** Something that the user should know even with --quiet. */
  warn(line: string): void {
    this.#writeLine(`${paint(process.stderr, "yellow", "warning:")} ${line}`);
  }

  /**
   * Shows how far a piece of work is. On a terminal it is a bar in one line; elsewhere nothing, so that a log holds
   * only whole lines.
   */
  progress(label: string, done: number, total: number, remark = ""): void {
    if (this.#options.quiet || !process.stderr.isTTY) return;
    if (this.#bar?.label !== label) {
      this.#endBar();
      this.#bar = new ProgressBar(label, process.stderr);
    }
    this.#bar.update(done, total, remark);
    if (done >= total) this.#endBar();
  }

  /** Text for stdout in a style, where that shows colours. */
  style(style: Style, text: string): string {
    return paint(process.stdout, style, text);
  }

  #writeLine(line: string): void {
    this.#bar?.clear();
    process.stderr.write(`${line}\n`);
    this.#bar?.draw();
  }

  /** Removes the bar, so that what comes next starts on a clean line. */
  #endBar(): void {
    this.#bar?.clear();
    this.#bar = null;
  }
}

/** Colours only on a terminal that has them; NO_COLOR and the like are honoured by `hasColors`. */
export function paint(stream: NodeJS.WriteStream, style: Style, text: string): string {
  return stream.isTTY && stream.hasColors() ? styleText(style, text, { validateStream: false }) : text;
}
