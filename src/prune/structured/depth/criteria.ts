import { attr } from "../../../graph/attribute.js";
import type { Builder } from "../../../graph/builder.js";
import type { Value } from "../../../graph/ir.js";
import type { LayerActivityCriterion, LayerCriterion, LayerWeightCriterion } from "./criterion.js";
import type { LayerWeight } from "./layer-weights.js";

const keepNone = { keepdims: attr.int(0) };

/** x / y, and 0 where both are 0. */
function ratio(b: Builder, x: Value, y: Value): Value {
  return b.emit("Div", [x, b.emit("Max", [y, b.scalar(2 ** -100)])]);
}

/**
 * 1 - cos(x, y): how far a layer turns what it is given (Men et al., "ShortGPT", 2024: block influence). A position
 * without anything in it, such as one that a ReLU has emptied, counts as unchanged.
 */
export const cosine: LayerActivityCriterion = {
  name: "cosine",
  needs: "data",
  emit(b, before, after, axes) {
    const norm = (value: Value) => b.emit("ReduceL2", [value, axes], keepNone);
    const norms = b.emit("Mul", [norm(before), norm(after)]);
    const dot = b.emit("ReduceSum", [b.emit("Mul", [before, after]), axes], keepNone);
    return ratio(b, b.emit("Sub", [norms, dot]), norms);
  },
};

/** |y - x| / |x|: how much a layer adds to what it is given. */
export const relativeNorm: LayerActivityCriterion = {
  name: "relative-norm",
  needs: "data",
  emit(b, before, after, axes) {
    const added = b.emit("ReduceL2", [b.emit("Sub", [after, before]), axes], keepNone);
    return ratio(b, added, b.emit("ReduceL2", [before, axes], keepNone));
  },
};

/** The mean over a layer's weights of the norm of what one output reads. */
function meanNorm(name: string, norm: (weight: LayerWeight) => number): LayerWeightCriterion {
  return {
    name,
    needs: "weights",
    score(weights) {
      const norms = weights.map(norm);
      return norms.reduce((a, b) => a + b, 0) / Math.max(1, norms.length);
    },
  };
}

/** Mean over outputs of the sum of |w|. It grows with the number of inputs: wide layers stay. */
const l1Norm = meanNorm("l1", ({ values, outputs }) => values.reduce((sum, w) => sum + Math.abs(w), 0) / outputs);

/** Root mean square over outputs of the l2 norm: by how much a linear map amplifies, whatever its size. */
export const l2Norm = meanNorm("l2", ({ values, outputs }) =>
  Math.sqrt(values.reduce((sum, w) => sum + w * w, 0) / outputs),
);

/** The baseline that every other criterion must beat. */
const randomLayers: LayerWeightCriterion = { name: "random", needs: "weights", score: (_, random) => random.uniform() };

export const layerCriteria: readonly LayerCriterion[] = [cosine, relativeNorm, l1Norm, l2Norm, randomLayers];
