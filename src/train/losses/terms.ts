import { EspalierError } from "../../base/errors.js";
import { sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/ir.js";
import type { LossContext, TargetName } from "./loss.js";

/** The sum of all elements, a scalar. */
export function sumAll(b: Builder, value: Value): Value {
  return b.emit("ReduceSum", [value], { keepdims: attr.int(0) });
}

/** The sum of all elements times `factor`. */
export function scaledSum(b: Builder, value: Value, factor: number): Value {
  return b.emit("Mul", [sumAll(b, value), b.scalar(factor)]);
}

/**
 * A target with the dims of what it is compared with: a column of numbers is [N], the output of a network with one number
 * for each example [N, 1].
 * Throws `bad-data` where they differ in their number of elements.
 */
export function targetLike(context: LossContext, name: TargetName, output: Value, loss: string): Value {
  const { builder, dims } = context;
  const target = context.target(name);
  const [wanted, got] = [dims(output), dims(target)];
  if (String(wanted) === String(got)) return target;
  if (sizeOf(wanted) === sizeOf(got)) return builder.emit("Reshape", [target, builder.ints(wanted)]);
  const mayBeClasses = name === "value" && wanted.length === 2 && wanted[1] > 1;
  throw new EspalierError("bad-data", `targets of dims [${got}] for an output of [${wanted}]`, {
    who: loss,
    hint: name.startsWith("teacher")
      ? "Do teacher and model answer the same question?"
      : `Is this the model for these data?${
          mayBeClasses ? " If the values are class numbers, read them as such, with --labels class." : ""
        }`,
  });
}
