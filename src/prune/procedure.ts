import type { Model } from "../graph/ir.js";
import type { Schedule } from "./schedules/schedule.js";

/** How pruning and training take turns. */
export type Procedure = Rounds | Gradual;

/** Prune, train, prune, train: the mask moves between phases of training only. One round is one-shot pruning. */
export interface Rounds {
  kind: "rounds";
  count: number;
  /** Sparsity after round r of n is that at r / n. */
  schedule: Schedule;
  /**
   * After each pruning the weights that stay go back to what they were in this earlier state of the same model
   * (lottery-ticket rewinding; Frankle and Carbin, 2019).
   */
  rewindTo?: Model;
}

/** The mask moves every few steps of one phase of training (Zhu and Gupta, 2017). */
export interface Gradual {
  kind: "gradual";
  schedule: Schedule;
  /** Fractions of the phase's steps between which sparsity moves. After `end` the weights that stay are trained on. */
  begin: number;
  end: number;
  /** Steps between two changes of the mask. Default: a hundredth of the phase. */
  every?: number;
  /**
   * At each move of the mask removed weights come back (dynamic network surgery; Guo, Yao and Chen, 2016), up to 5 % of
   * every layer, falling to none at the end: those with the largest sum of gradients since the mask last moved (Evci et
   * al., 2020). They come back at 0, so that they disturb nothing and stay only if they grow.
   * (The latent weights of the first paper, trained on while removed and put back as they are, grow without ever being
   * felt: with Adam, or SGD at the rates that fine-tuning needs, they ruin the network.)
   */
  regrow: boolean;
}

/** The steps of a phase at which the mask changes. */
export interface GradualPlan {
  /** How far the sparsity has moved at this step, 0 to 1; null when the mask stays as it is. */
  progressAt(step: number): number | null;
  /** How far it has moved after so many steps; null when it has not begun. */
  progressAfter(steps: number): number | null;
}

export function planGradual({ begin, end, every }: Gradual, totalSteps: number): GradualPlan {
  const first = Math.min(Math.round(begin * totalSteps), totalSteps - 1);
  const last = Math.max(first, Math.min(Math.round(end * totalSteps), totalSteps - 1));
  const interval = every ?? Math.max(1, Math.round(totalSteps / 100));
  const progressAt = (step: number) => {
    if (step < first || step > last) return null;
    if (step === last) return 1;
    return (step - first) % interval === 0 ? (step - first) / (last - first) : null;
  };
  return {
    progressAt,
    progressAfter(steps) {
      if (steps <= first) return null;
      if (steps > last) return 1;
      return progressAt(steps - 1 - ((steps - 1 - first) % interval));
    },
  };
}
