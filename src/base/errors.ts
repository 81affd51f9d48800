/** What went wrong, in one word a program can test. */
export type ErrorCode =
  | "bad-usage" // the call or the command line is wrong
  | "bad-model" // the ONNX file or graph is broken
  | "bad-data" // the dataset is broken or does not fit the model
  | "unsupported" // correct, but outside what espalier does
  | "target-not-reached" // a stated target (accuracy, size, sparsity) cannot be met
  | "diverged" // the loss became NaN or exploded
  | "interrupted" // the user stopped the run
  | "io" // the file system refused
  | "runtime"; // onnxruntime refused

export interface ErrorFields {
  /** Who complains: a node, a file, an option. */
  who?: string;
  /** What to do about it: a full sentence. */
  hint?: string;
  cause?: unknown;
}

/**
 * The only error type espalier throws on purpose. The message is one sentence built from the fields:
 * `who: what was expected and what came. what to do`.
 */
export class EspalierError extends Error {
  readonly code: ErrorCode;
  readonly what: string;
  readonly who: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, what: string, fields: ErrorFields = {}) {
    const { hint, cause } = fields;
    const said = printable(what, 1000);
    const who = fields.who === undefined ? undefined : printable(fields.who, 500);
    const sentence = /[.!?]$/.test(said) ? said : `${said}.`;
    super(`${who ? `${who}: ` : ""}${sentence}${hint ? ` ${hint}` : ""}`, cause === undefined ? undefined : { cause });
    this.name = "EspalierError";
    this.code = code;
    this.what = said;
    this.who = who;
    this.hint = hint;
  }
}

/** A name out of a file for a message: cut to 80 characters, nothing in it that moves a terminal's cursor. */
export function brief(name: string): string {
  return printable(name, 80);
}

/** The same in quotes. */
export function quoted(name: string): string {
  return `'${brief(name)}'`;
}

/** One line: line breaks as spaces, other control characters as \\u escapes, the middle left out beyond `limit`. */
export function printable(text: string, limit: number): string {
  const half = Math.floor(limit / 2) - 1;
  const short = text.length > limit ? `${text.slice(0, half)}…${text.slice(-half)}` : text;
  return short
    .replace(/[\t\n\r]+/g, " ")
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (c) => `\\u${c.codePointAt(0)?.toString(16).padStart(4, "0")}`);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
