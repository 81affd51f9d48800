import type { Model } from "../../graph/ir.js";
import type { Evaluation } from "../../train/evaluate.js";
import type { EpochRecord } from "../../train/fit.js";
import type { Lesson } from "../../train/teacher/lesson.js";
import { type Phase, Recovery, type RecoveryOptions, type RunContext } from "../recovery.js";
import type { PhaseEpoch, PhaseStep } from "../work.js";

export interface TrainingReports {
  onStep?(step: PhaseStep): void;
  onEpoch?(epoch: PhaseEpoch): void;
}

/**
 * One phase of training of a network that was cut, in place.
 * @param sparsity share of its units that are gone, for reports.
 * Throws as `Recovery` does: `diverged` with the last good weights in the model, `interrupted`, `unsupported`.
 */
export async function trainCut(
  model: Model,
  phase: Pick<Phase, "name" | "fading" | "facts">,
  sparsity: number,
  lesson: Lesson,
  options: RecoveryOptions,
  context: RunContext & TrainingReports,
): Promise<{ history: readonly PhaseEpoch[]; evaluation: Evaluation | null }> {
  const { onStep, onEpoch } = context;
  const ofEpoch = (record: EpochRecord): PhaseEpoch => ({
    ...record,
    phase: phase.name,
    epochs: options.epochs,
    sparsity,
  });
  const recovery = await Recovery.create(model, lesson, options, context, { gradients: false });
  const { history, evaluation } = await recovery.train(model, {
    ...phase,
    layers: [],
    masks: [],
    onStep: (done, totalSteps, loss) => onStep?.({ phase: phase.name, done, totalSteps, loss, sparsity }),
    onEpoch: (record) => onEpoch?.(ofEpoch(record)),
  });
  return { history: history.map(ofEpoch), evaluation };
}
