const longestRun = 50;
const mostSteps = 16;

/**
 * How many steps to take in one run of onnxruntime: as many as take 50 ms, so that a run can be stopped soon and shows
 * how far it is, and at most 16, beyond which nothing is gained. Results do not depend on it.
 */
export class RunLength {
  #steps = 1;

  get steps(): number {
    return this.#steps;
  }

  /** @param milliseconds that `steps` steps took */
  observe(steps: number, milliseconds: number): void {
    const fitting = Math.floor((longestRun * steps) / milliseconds);
    this.#steps = Math.max(1, Math.min(fitting, mostSteps));
  }
}
