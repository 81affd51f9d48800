import { sizeOf } from "../../base/tensor.js";
import type { Value } from "../../graph/ir.js";
import type { Loss, LossContext, TargetName } from "./loss.js";
import { scaledSum, sumAll, targetLike } from "./terms.js";

/**
 * Mean of (output - teacher's)^2 over all elements of the first output, or of another one. `relative` divides it by the
 * mean of the teacher's squares, so that outputs of different sizes (boxes in pixels, scores below 1) count alike.
 */
export function imitation({ output, relative = false }: { output?: string; relative?: boolean } = {}): Loss {
  const target: TargetName = output === undefined ? "teacher" : `teacher/${output}`;
  const name = "imitation";
  return {
    name,
    targets: [target],
    values: output === undefined ? [] : [output],
    emit(context) {
      const value = output === undefined ? context.output : context.value(output);
      return squaredDistance(context, value, targetLike(context, target, value, name), { relative });
    },
  };
}

/** Mean of (value - target)^2; `relative` divides it by the mean of target^2. Both have the same dims. */
export function squaredDistance(
  { builder: b, dims }: LossContext,
  value: Value,
  target: Value,
  { relative, elements = sizeOf(dims(value)) }: { relative: boolean; elements?: number },
): Value {
  const square = (x: Value) => b.emit("Mul", [x, x]);
  const error = square(b.emit("Sub", [value, target]));
  if (!relative) return scaledSum(b, error, 1 / elements);
  // A teacher that says 0 all over has no size to measure by.
  const size = b.emit("Max", [scaledSum(b, square(target), 1 / elements), b.scalar(1e-12)]);
  return b.emit("Div", [b.emit("Mul", [sumAll(b, error), b.scalar(1 / elements)]), size]);
}
