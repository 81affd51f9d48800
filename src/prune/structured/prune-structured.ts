import { isFloat } from "../../base/dtype.js";
import { EspalierError, quoted } from "../../base/errors.js";
import { toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import type { Model } from "../../graph/ir.js";
import type { Evaluation } from "../../train/evaluate.js";
import { frozenTensors } from "../../train/frozen.js";
import { lessonFor } from "../../train/teacher/teaching.js";
import type { RoundRecord } from "../round.js";
import { oneShot } from "../schedules/one-shot.js";
import type { PhaseEpoch } from "../work.js";
import { allocate } from "./allocate.js";
import { buildGroups } from "./build-groups.js";
import { looksAtData } from "./criteria/criterion.js";
import { cut } from "./cut.js";
import { type CutGoal, targetFor } from "./goal.js";
import { type Group, type Grouping, type GroupSet, wishes } from "./groups.js";
import { reach, reachDrop } from "./reach.js";
import { remaining } from "./remaining.js";
import { Thinning, type ThinningOptions } from "./thinning.js";
import { usualTrace } from "./usual-trace.js";
import type { Proof } from "./verify.js";

export interface StructuredOptions extends Omit<ThinningOptions, "rounds" | "recovery" | "evaluation" | "seed"> {
  goal: CutGoal;
  /** Default: one cut. */
  rounds?: ThinningOptions["rounds"];
  /** Default: nothing is learnt. */
  recovery?: ThinningOptions["recovery"];
  /** What the model is judged by; default nothing. */
  evaluation?: ThinningOptions["evaluation"];
  /** Default 0. */
  seed?: number;
  onRound?(record: RoundRecord): void;
}

export interface StructuredResult {
  /** The smaller network, at opset 21. */
  model: Model;
  /** What could be taken out, with every frozen axis and its reason. Its model has the weights that were learnt. */
  grouping: Grouping;
  removed: ReadonlySet<Group>;
  /** Sets that were left whole since rounding would undo the cut. */
  undone: readonly GroupSet[];
  /** Sets that were left whole since the criterion says nothing of them. */
  unjudged: readonly GroupSet[];
  proof: Proof;
  /** On the data that judge; null without such. */
  before: Evaluation | null;
  after: Evaluation | null;
  rounds: readonly RoundRecord[];
  /** Epochs of all phases of training, in order. */
  history: readonly PhaseEpoch[];
  /**
   * Null when all went well. `target-not-reached`: the model is the best that was found. `diverged`: it has the last good
   * weights.
   */
  missed: EspalierError | null;
}

/**
 * Takes neurons, filters, heads and hidden units out of a network, at once or in rounds with training in between, with
 * everything that depends on them. Each cut is proven: what is left computes what the network before does with the same
 * groups masked. The original is left alone. The same options, seed and number of threads give the same model, also when
 * a run was stopped and started again with its folder of checkpoints.
 * Throws `unsupported` when nothing can be cut, a proof fails or no gradient passes an operator, `bad-usage` for options
 * that do not fit, `bad-data` when model and data do not, `target-not-reached` when it is plain from the start,
 * `diverged` when training did so before the first cut, `interrupted` when the signal stopped it.
 */
export async function pruneStructured(original: Model, options: StructuredOptions): Promise<StructuredResult> {
  const { engine, shapes, goal, recovery = null, evaluation = null, seed = 0, criterion } = options;
  if (looksAtData(criterion) && !recovery) {
    throw new EspalierError("bad-usage", `the criterion ${criterion.name} looks at data, and there are none`, {
      hint: "Give data, or take a criterion that looks at weights, such as l1.",
    });
  }
  if (!recovery && (options.refit || options.fadeEpochs || options.lasso)) {
    throw new EspalierError("bad-usage", "there are no data to fit or train with", { hint: "Give a recovery." });
  }
  const { epochs: lassoEpochs, strength = 0 } = options.lasso ?? { epochs: 0 };
  if (!(Number.isInteger(lassoEpochs) && lassoEpochs >= 0 && strength >= 0 && Number.isFinite(strength))) {
    throw new EspalierError("bad-usage", `a group lasso of strength ${strength} over ${lassoEpochs} epochs`, {
      hint: "Give a number from 0, and a whole number of epochs.",
    });
  }
  if (options.rounds && !(Number.isInteger(options.rounds.count) && options.rounds.count >= 1)) {
    throw new EspalierError("bad-usage", `${options.rounds.count} rounds`, { hint: "Give a whole number from 1." });
  }
  const frozen = frozenTensors(original, recovery?.freeze ?? []);
  const prefer = wishes.filter((unit) => options.units?.includes(unit));
  const grouping = await buildGroups(original, { engine, shapes, prefer });
  assertFinite(grouping);
  const context = {
    ...options,
    frozen,
    recovery,
    evaluation,
    seed,
    rounds: options.rounds ?? { count: 1, schedule: oneShot },
  };
  // What does not fit shall show before anything is trained.
  allocate(grouping, new Map(), { ...context, sparsity: 0 });
  const learns = recovery && recovery.epochs + lassoEpochs + (options.fadeEpochs ?? 0) > 0;
  const lesson = learns ? await lessonFor(original, original, recovery.data, recovery, context) : null;
  const thinning = new Thinning(grouping, lesson, context);
  const before = await thinning.evaluate();
  const rounds: RoundRecord[] = [];
  const onRound = (record: RoundRecord) => {
    rounds.push(record);
    options.onRound?.(record);
  };
  const measured = {
    parameters: (removed: ReadonlySet<Group>) => remaining(grouping, removed).parameters,
    async macs() {
      const trace = await usualTrace(grouping, engine, shapes);
      return (removed: ReadonlySet<Group>) => remaining(grouping, removed, trace).macs;
    },
    model: (removed: ReadonlySet<Group>) => cut(grouping, removed),
  };
  const { evaluation: after, missed } =
    "maxDrop" in goal
      ? await reachDrop(thinning, before, goal.maxDrop, onRound)
      : await reach(thinning, await targetFor(goal, measured), onRound);
  const { proof, removed, allocation } = thinning;
  // Training may diverge before the first cut; else every way to the goal cuts.
  if (!proof) throw missed ?? new Error("nothing was cut");
  const { undone, unjudged } = allocation;
  const { history } = thinning;
  return {
    model: thinning.model(),
    grouping,
    removed,
    undone,
    unjudged,
    proof,
    before,
    after,
    rounds,
    history,
    missed,
  };
}

/** Throws `bad-model` for a weight of some unit that is NaN or infinite: no cut of it could be proven. */
function assertFinite({ groups }: Grouping): void {
  for (const value of new Set(groups.flatMap(({ slices }) => slices.map(({ value: of }) => of)))) {
    const tensor = constantOf(value);
    if (!tensor || !isFloat(tensor.dtype) || toFloat32(tensor).every(Number.isFinite)) continue;
    throw new EspalierError("bad-model", "it has elements that are NaN or infinite", {
      who: `tensor ${quoted(value.name)}`,
      hint: "Export the model anew, or repair the weights.",
    });
  }
}
