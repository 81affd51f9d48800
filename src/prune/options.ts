import { EspalierError } from "../base/errors.js";
import type { StoringOptions } from "../onnx/file.js";
import type { Amount } from "./amount.js";
import type { Criterion } from "./criteria/criterion.js";
import type { LayerOptions } from "./layers.js";
import type { Gradual, Rounds } from "./procedure.js";
import type { RoundRecord } from "./round.js";
import type { WorkOptions } from "./work.js";

/**
 * What pruning is to come to: an amount, or a target for which the highest (`maxDrop`, points of accuracy on the data
 * that judge) or lowest (`targetSize`, bytes of the files, stored in the given way) sparsity is sought.
 */
export type Goal = Amount | { maxDrop: number } | ({ targetSize: number } & StoringOptions);

export interface PruneOptions extends WorkOptions, LayerOptions {
  /** Null leaves it to a pattern that says itself how much goes. */
  goal: Goal | null;
  onRound?(record: RoundRecord): void;
}

function assert(holds: boolean, what: string, hint: string): void {
  if (!holds) throw new EspalierError("bad-usage", what, { hint });
}

const isCount = (value: number, least: number) => Number.isInteger(value) && value >= least;

/** Throws `bad-usage` for what is wrong or contradictory before any work is done. */
export function checkOptions({ goal, procedure, recovery, selection }: PruneOptions): void {
  const epochs = recovery?.epochs ?? 0;
  assert(isCount(epochs, 0), `a phase of ${epochs} epochs`, "Give a whole number from 0.");
  if (goal && "maxDrop" in goal) {
    const { maxDrop } = goal;
    assert(maxDrop >= 0 && maxDrop <= 100, `a drop of ${maxDrop} points`, "Give points of accuracy, say 0.5.");
  }
  if (goal && "targetSize" in goal) {
    assert(isCount(goal.targetSize, 1), `a file of ${goal.targetSize} bytes`, "Give a whole number of bytes.");
  }
  if (procedure.kind === "gradual") checkGradual(procedure, epochs, selection.criterion);
  else checkRounds(procedure, epochs);
}

function checkRounds({ count, rewindTo }: Rounds, epochs: number): void {
  assert(isCount(count, 1), `${count} rounds`, "Give a whole number from 1.");
  assert(!rewindTo || epochs > 0, "weights that go back must be trained again", "Give data and epochs to train.");
}

function checkGradual(
  { begin, end, every, regrow, schedule }: Gradual,
  epochs: number,
  { name, statistic }: Criterion,
): void {
  assert(epochs > 0, "gradual pruning happens while training", "Give data and epochs to train, or prune in one shot.");
  const inOrder = begin >= 0 && begin <= end && end <= 1;
  assert(
    inOrder,
    `gradual pruning from ${begin} to ${end} of the training`,
    "Give fractions in order, say 0 and 0.75.",
  );
  assert(
    every === undefined || isCount(every, 1),
    `a mask that moves every ${every} steps`,
    "Give a whole number from 1.",
  );
  assert(
    !regrow || name === "magnitude",
    `weights regrow by magnitude, not by ${name}`,
    "Take the criterion magnitude, or let nothing regrow.",
  );
  assert(
    !statistic || begin > 0 || schedule.sparsityAt(0, 0, 0.5) === 0,
    `the criterion ${name} knows nothing before the first step, but the schedule ${schedule.name} prunes then`,
    "Begin later, say at 0.1, or take the schedule cubic.",
  );
}
