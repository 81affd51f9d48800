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
  readonly who: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, what: string, fields: ErrorFields = {}) {
    const { who, hint, cause } = fields;
    const sentence = /[.!?]$/.test(what) ? what : `${what}.`;
    super(`${who ? `${who}: ` : ""}${sentence}${hint ? ` ${hint}` : ""}`, cause === undefined ? undefined : { cause });
    this.name = "EspalierError";
    this.code = code;
    this.who = who;
    this.hint = hint;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
