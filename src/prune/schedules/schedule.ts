/** How the sparsity grows from where it is to where it should be. */
export interface Schedule {
  name: string;
  /** Sparsity at `progress`, 0 to 1 of the way; never falls, and is `final` at 1. */
  sparsityAt(progress: number, initial: number, final: number): number;
}

export function defineSchedule(schedule: Schedule): Schedule {
  return schedule;
}
