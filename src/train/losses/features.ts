import { EspalierError, quoted } from "../../base/errors.js";
import { randomStream } from "../../base/random.js";
import { sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import { squaredDistance } from "./imitation.js";
import type { Loss, LossContext, TargetName } from "./loss.js";
import { scaledSum } from "./terms.js";

/** A value of the model, and the one of the teacher that it is to resemble; default that of the same name. */
export interface FeaturePair {
  value: string;
  teacher?: string;
}

const targetOf = ({ value, teacher = value }: FeaturePair): TargetName => `teacher/${teacher}`;

/**
 * Follows a feature map or hidden state of the teacher (FitNets, Romero et al., 2015): the mean of the squared errors,
 * divided by the mean of the teacher's squares. Where the two differ in the size of one axis, as after a cut, a matrix
 * that is trained along maps the model's onto the teacher's: for [N, 24, 8, 8] and [N, 32, 8, 8] it is [24, 32] and works
 * at each of the 8 x 8 positions.
 */
export function featureDistance(pair: FeaturePair): Loss {
  const target = targetOf(pair);
  return {
    name: "features",
    targets: [target],
    values: [pair.value],
    emit(context) {
      const [value, wanted] = [context.value(pair.value), context.target(target)];
      const [dims, wantedDims] = [context.dims(value), context.dims(wanted)];
      if (String(dims) === String(wantedDims)) return squaredDistance(context, value, wanted, { relative: true });
      const differing = dims.flatMap((dim, axis) => (dim === wantedDims[axis] ? [] : [axis]));
      if (dims.length !== wantedDims.length || differing.length !== 1) {
        throw new EspalierError(
          "bad-data",
          `[${dims}] cannot follow the teacher's ${quoted(pair.teacher ?? pair.value)} [${wantedDims}]`,
          { who: `value ${quoted(pair.value)}`, hint: "They may differ in the size of one axis, which is projected." },
        );
      }
      const [axis] = differing;
      const last = (v: Value) => moveToLast(context, v, axis, dims.length);
      const elements = sizeOf(wantedDims);
      const projection = projectionFor(context, pair, dims[axis], wantedDims[axis]);
      const mapped = context.builder.emit("MatMul", [last(value), projection]);
      return squaredDistance(context, mapped, last(wanted), { relative: true, elements });
    },
  };
}

/** Uniform within sqrt(6 / (from + to)), after Glorot and Bengio (2010). */
function projectionFor(context: LossContext, { value }: FeaturePair, from: number, to: number): Value {
  const random = randomStream(1, "projection", value);
  const bound = Math.sqrt(6 / (from + to));
  const start = Float32Array.from({ length: from * to }, () => bound * (2 * random.uniform() - 1));
  return context.parameter(`projection/${value}`, [from, to], start);
}

function moveToLast({ builder: b }: LossContext, value: Value, axis: number, rank: number): Value {
  if (axis === rank - 1) return value;
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  return b.emit("Transpose", [value], { perm: attr.ints([...others, axis]) });
}

/**
 * Follows where the teacher looks (Zagoruyko and Komodakis, 2017). The map of [N, C, ...] is the mean over C of the squares
 * (C may differ: channels, or heads of an attention [N, heads, T, T]), taken as one vector of length 1 for each example;
 * the loss is the mean over the examples of the squared distance.
 */
export function attentionDistance(pair: FeaturePair): Loss {
  const target = targetOf(pair);
  return {
    name: "attention",
    targets: [target],
    values: [pair.value],
    emit(context) {
      const { builder: b } = context;
      const [value, wanted] = [context.value(pair.value), context.target(target)];
      const [dims, wantedDims] = [context.dims(value), context.dims(wanted)];
      const beside = (of: readonly number[]) => of.filter((_, axis) => axis !== 1);
      if (dims.length < 3 || String(beside(dims)) !== String(beside(wantedDims))) {
        throw new EspalierError(
          "bad-data",
          `[${dims}] cannot be compared with the teacher's ${quoted(pair.teacher ?? pair.value)} [${wantedDims}]`,
          { who: `value ${quoted(pair.value)}`, hint: "Attention needs [N, C, ...]; but for C all must be equal." },
        );
      }
      const direction = (of: Value) => {
        const square = b.emit("Mul", [of, of]);
        const map = b.emit("ReduceMean", [square, b.ints([1])], { keepdims: attr.int(0) });
        const flat = b.emit("Reshape", [map, b.ints([dims[0], -1])]);
        const length = b.emit("ReduceL2", [flat, b.ints([1])], { keepdims: attr.int(1) });
        return b.emit("Div", [flat, b.emit("Max", [length, b.scalar(1e-12)])]);
      };
      const error = b.emit("Sub", [direction(value), direction(wanted)]);
      return scaledSum(b, b.emit("Mul", [error, error]), 1 / dims[0]);
    },
  };
}
