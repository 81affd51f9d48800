import { attr } from "../../graph/attribute.js";
import type { Optimizer, OptimizerStep } from "../optimizers.js";

/** The optimizer, given gradients whose Euclidean norm is at most `norm`: gradient * min(1, norm / |gradient|), as PyTorch's clip_grad_norm_. */
export function clipped(optimizer: Optimizer, norm: number): Optimizer {
  return {
    ...optimizer,
    emit: (step) => optimizer.emit({ ...step, gradient: emitClip(step, norm) }),
  };
}

/** Removed weights do not count in the length. */
function emitClip({ builder: b, gradient, mask }: OptimizerStep, norm: number) {
  const counted = mask ? b.emit("Mul", [gradient, mask]) : gradient;
  const length = b.emit("ReduceL2", [counted], { keepdims: attr.int(0) });
  const shorter = b.emit("Div", [b.scalar(norm), b.emit("Add", [length, b.scalar(1e-6)])]);
  return b.emit("Mul", [gradient, b.emit("Min", [shorter, b.scalar(1)])]);
}
