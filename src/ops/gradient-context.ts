import { EspalierError } from "../base/errors.js";
import type { Builder } from "../graph/builder.js";
import type { Node, Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { summedAxes } from "./broadcast.js";
import { NodeContext } from "./node-context.js";

/** What a gradient rule works with: one node, the gradients of its outputs, traced shapes, and a pen. */
export class GradientContext extends NodeContext {
  readonly #gradOf: (value: Value) => Value | null;
  readonly #needs: (value: Value) => boolean;

  constructor(
    node: Node,
    builder: Builder,
    trace: Trace,
    gradOf: (value: Value) => Value | null,
    needs: (value: Value) => boolean,
  ) {
    super(node, builder, trace);
    this.#gradOf = gradOf;
    this.#needs = needs;
  }

  /** Gradient of the loss with respect to the i-th output, of the output's dims. Throws when none arrives. */
  gradOf(index: number): Value {
    const grad = this.optionalGradOf(index);
    if (!grad)
      throw new EspalierError("unsupported", `no gradient arrives at output ${index}`, { who: this.node.label });
    return grad;
  }

  optionalGradOf(index: number): Value | null {
    const output = this.node.outputs[index];
    return output ? this.#gradOf(output) : null;
  }

  /** Whether somebody wants the gradient of the i-th input; work for others would be dropped. */
  needs(index: number): boolean {
    const value = this.node.inputs[index];
    return value ? this.#needs(value) : false;
  }

  /** Sums a gradient of dims `from` down to `to`, which was broadcast to it: [4, 3] -> [1, 3] sums axis 0. */
  unbroadcast(grad: Value, from: readonly number[], to: readonly number[]): Value {
    const axes = summedAxes(from, to);
    const summed = axes.length === 0 ? grad : this.emit("ReduceSum", [grad, this.list(axes)]);
    return axes.length === 0 && from.length === to.length ? summed : this.reshape(summed, to);
  }
}
