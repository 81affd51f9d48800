import type { Intervention } from "../train/fit.js";

/** What is left of a weight that nothing holds up: e^-7 is a thousandth. */
const depth = 7;

/**
 * Lets some weights fade away over a phase of training, ever faster, while the others learn to do without them, so that
 * what is removed then is close to nothing already (growing regularization; Wang et al., "Neural Pruning via Growing
 * Regularization", 2021). The penalty is decoupled from the gradient as AdamW's weight decay is: at step t of T a weight
 * is multiplied by 1 - 2 depth t / T^2, by e^-depth in all. A mask between 0 and 1 does it.
 * Example: of 1,000 steps the one in the middle takes 0.7 % of what is left, the last one 1.4 %.
 * @param fading 1 for each parameter that fades, else 0
 */
export function fadeOut(fading: Float32Array): Intervention {
  const every = (total: number) => Math.max(1, Math.round(total / 100));
  return {
    isDue: (step, total) => step % every(total) === 0,
    act(trainer, step, total) {
      const rate = Math.min(0.9, (2 * depth * step) / total ** 2);
      trainer.mask = fading.map((fades) => 1 - rate * fades);
    },
  };
}
