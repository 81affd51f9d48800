import { EspalierError } from "../../base/errors.js";
import { globMatcher } from "../../base/glob.js";
import type { Model } from "../../graph/ir.js";
import { assertTrained, trainedNames } from "../frozen.js";
import type { Optimizer } from "../optimizers.js";
import { accumulated } from "./accumulated.js";
import { averaged } from "./averaged.js";
import { clipped } from "./clipped.js";
import { paced } from "./paced.js";

/** How gradients become steps, beside the optimizer. */
export interface UpdateOptions {
  /** Largest Euclidean norm of the whole gradient. Default: any. */
  clipNorm?: number;
  /** One step for so many batches, along the mean of their gradients: larger batches than fit in memory. Default 1. */
  accumulate?: number;
  /**
   * The result is a running mean of the weights, which keeps this share of itself at each step, such as 0.999; it is also
   * what is judged. Default: the weights of the last step.
   */
  average?: number;
  /** By glob pattern over names of tensors: what their learning rate is multiplied by. The first that fits counts. */
  rates?: Readonly<Record<string, number>>;
}

/**
 * The optimizer that does all this to the model.
 * Throws `bad-usage` for numbers out of range and patterns that fit no tensor.
 */
export function updateFor(model: Model, optimizer: Optimizer, options: UpdateOptions): Optimizer {
  const { clipNorm, accumulate = 1, average, rates = {} } = options;
  if (!(Number.isInteger(accumulate) && accumulate >= 1))
    throw outOfRange("accumulate", accumulate, "a whole number from 1");
  if (average !== undefined && !(average > 0 && average < 1)) throw outOfRange("average", average, "between 0 and 1");
  let update = optimizer;
  if (clipNorm !== undefined) update = clipped(update, clipNorm);
  if (Object.keys(rates).length > 0) update = paced(update, paceFor(model, rates));
  if (average !== undefined) update = averaged(update, average);
  return accumulate > 1 ? accumulated(update, accumulate) : update;
}

function paceFor(model: Model, rates: Readonly<Record<string, number>>): (name: string) => number {
  const names = trainedNames(model);
  const paces = Object.entries(rates).map(([pattern, pace]) => {
    assertTrained(names, pattern);
    if (!(pace >= 0 && Number.isFinite(pace))) throw outOfRange(`the rate of ${pattern}`, pace, "a number from 0");
    return { fits: globMatcher(pattern), pace };
  });
  return (name) => paces.find(({ fits }) => fits(name))?.pace ?? 1;
}

function outOfRange(what: string, got: number, wanted: string): EspalierError {
  return new EspalierError("bad-usage", `${what} is ${wanted}, got ${got}`);
}
