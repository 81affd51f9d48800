import type { PhaseEpoch, PhaseStep } from "../prune/work.js";
import type { CurvePoint } from "./record.js";

/** Turns the events of a run into one curve: the steps of all its phases, one behind the other. */
export class CurveRecorder {
  readonly #steps: PhaseStep[] = [];
  readonly #epochs: PhaseEpoch[] = [];

  addStep(step: PhaseStep): void {
    this.#steps.push(step);
  }

  addEpoch(epoch: PhaseEpoch): void {
    this.#epochs.push(epoch);
  }

  /**
   * The curve. Of epochs that lie before a resume only the means are known: each is one point, at its last step.
   * @param history the epochs of all finished phases, those before a resume too
   * @param scoresAreAccuracies whether the epochs' scores are shares of right answers; else the curve has none
   */
  points(history: readonly PhaseEpoch[], scoresAreAccuracies: boolean): CurvePoint[] {
    const epochs = [...history, ...this.#epochs];
    const curve: CurvePoint[] = [];
    let offset = 0;
    for (const phase of new Set([...epochs, ...this.#steps].map((event) => event.phase))) {
      const own = this.#steps.filter((step) => step.phase === phase);
      const points = new Map<number, Omit<CurvePoint, "step">>();
      for (const { done, sparsity, loss } of own) points.set(done, { sparsity, loss, accuracy: null });
      for (const { epoch, steps, score, sparsity, loss } of epochs.filter((record) => record.phase === phase)) {
        const at = epoch * steps;
        points.set(at, { ...(points.get(at) ?? { sparsity, loss }), accuracy: scoresAreAccuracies ? score : null });
      }
      const ordered = [...points].sort(([a], [b]) => a - b);
      for (const [done, point] of ordered) curve.push({ step: offset + done, ...point });
      offset += own[0]?.totalSteps ?? ordered.at(-1)?.[0] ?? 0;
    }
    return curve;
  }
}
