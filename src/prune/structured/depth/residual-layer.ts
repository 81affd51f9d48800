import type { Node, Value } from "../../../graph/ir.js";

/** A sum y = x + f(x) that can become y = x. */
export interface Bypass {
  readonly sum: Node;
  /** y */
  readonly output: Value;
  /** x */
  readonly skip: Value;
}

/** What can be taken out of a network's depth: one or more residual branches, with all that only they need. */
export interface ResidualLayer {
  /** That of the last sum's output. */
  readonly name: string;
  readonly bypasses: readonly Bypass[];
  /** The nodes that leave with it. */
  readonly nodes: ReadonlySet<Node>;
  /** The constants that leave with it. */
  readonly weights: ReadonlySet<Value>;
  /** Elements of its weights. */
  readonly parameters: number;
  /** Multiply-accumulates of the traced run. */
  readonly macs: number;
  /** Whether it multiplies activations with each other, as attention does. */
  readonly attention: boolean;
}
