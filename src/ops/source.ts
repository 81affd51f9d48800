import { none, withoutWeights } from "./define.js";
import { stopped } from "./elementwise.js";

/** Where values come from without following an input smoothly: constants, random numbers, shapes, indices. */
export const sourceOps = [
  ...stopped("Constant", "ConstantOfShape", "EyeLike"),
  ...stopped("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"),
  ...stopped("Shape", "Size", "NonZero", "ArgMax", "ArgMin"),
  withoutWeights("Range", none("the number of elements of Range depends on its inputs")),
  withoutWeights("OneHot", none("the on and off values of OneHot are taken as fixed")),
];
