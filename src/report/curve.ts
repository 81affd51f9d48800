import type { PhaseStep } from "../prune/work.js";
import type { CurvePoint } from "./record.js";

/** Turns the events of a run into one curve: the steps of all its phases, one behind the other. */
export class CurveRecorder {
  readonly #points: CurvePoint[] = [];
  #phase: { name: string; totalSteps: number } | null = null;
  /** Steps of the phases before. */
  #offset = 0;

  get points(): readonly CurvePoint[] {
    return this.#points;
  }

  /** A phase that goes on from a checkpoint begins in its midst: its first steps are missing, not renumbered. */
  addStep({ phase, done, totalSteps, loss, sparsity }: PhaseStep): void {
    if (this.#phase?.name !== phase) {
      this.#offset += this.#phase?.totalSteps ?? 0;
      this.#phase = { name: phase, totalSteps };
    }
    this.#points.push({ step: this.#offset + done, sparsity, loss, accuracy: null });
  }

  /** The accuracy that was measured after the step before, 0 to 1. */
  addAccuracy(accuracy: number): void {
    const last = this.#points.pop();
    if (last) this.#points.push({ ...last, accuracy });
  }
}
