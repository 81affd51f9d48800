import { EspalierError } from "../../../base/errors.js";
import type { Model } from "../../../graph/ir.js";
import { costWithBodies, countParameters, macsOf } from "../../../ops/cost.js";
import { makeNamesUnique } from "../../../passes/unique-names.js";
import type { Shapes } from "../../../run/example.js";
import type { Evaluation } from "../../../train/evaluate.js";
import { frozenTensors } from "../../../train/frozen.js";
import { prepareModel } from "../../../train/prepare.js";
import { lessonFor } from "../../../train/teacher/teaching.js";
import type { RoundRecord } from "../../round.js";
import { oneShot } from "../../schedules/one-shot.js";
import type { PhaseEpoch } from "../../work.js";
import { traceExamples } from "../build-groups.js";
import { type CutGoal, targetFor } from "../goal.js";
import { reach, reachDrop } from "../reach.js";
import { usualTrace } from "../usual-trace.js";
import type { Proof } from "../verify.js";
import { cosine, l2Norm } from "./criteria.js";
import { type DepthKind, findLayers } from "./find-layers.js";
import type { ResidualLayer } from "./residual-layer.js";
import { Shallowing, type ShallowingOptions } from "./shallowing.js";

export interface PruneLayersOptions extends Partial<Omit<ShallowingOptions, "engine">> {
  engine: ShallowingOptions["engine"];
  /** How much goes; a share is rounded down to whole layers. One layer always stays. */
  goal: CutGoal;
  /** Default "layer". */
  kind?: DepthKind;
  /** Dims of inputs whose file leaves axes free, by input. What is not given is made up. */
  shapes?: Shapes;
  onRound?(record: RoundRecord): void;
}

export interface PrunedLayers {
  /** The shallower network, at opset 21. */
  model: Model;
  /** All that could go, in the network's order, with what the criterion last said of each. */
  layers: readonly { layer: ResidualLayer; score: number; removed: boolean }[];
  proof: Proof;
  /** On the data that judge; null without such. */
  before: Evaluation | null;
  after: Evaluation | null;
  rounds: readonly RoundRecord[];
  /** Epochs of all phases of training, in order. */
  history: readonly PhaseEpoch[];
  /** As `pruneStructured` has it. */
  missed: EspalierError | null;
}

/**
 * Takes residual layers or blocks out of a network, those with the lowest scores, at once or in rounds with training in
 * between, and proves that what is left computes what the network does with zeros in their place. The original is left
 * alone. By default one cut without training, by `cosine` where there are data, else by `l2Norm`.
 * Throws `unsupported` when there are no layers to choose from, the proof fails or no gradient passes an operator,
 * `bad-usage` for options that do not fit, such as a share that is less than one layer, `bad-data` when model and data do
 * not, `target-not-reached` when it is plain from the start, `interrupted` when the signal stopped it.
 */
export async function pruneLayers(original: Model, options: PruneLayersOptions): Promise<PrunedLayers> {
  const { engine, goal, kind = "layer", shapes, recovery = null, evaluation = null, seed = 0 } = options;
  const { criterion = recovery ? cosine : l2Norm, rounds = { count: 1, schedule: oneShot } } = options;
  if (criterion.needs === "data" && !recovery) {
    throw new EspalierError("bad-usage", `the criterion ${criterion.name} looks at data, and there are none`, {
      hint: "Give data, or take l2.",
    });
  }
  if (!(Number.isInteger(rounds.count) && rounds.count >= 1)) {
    throw new EspalierError("bad-usage", `${rounds.count} rounds`, { hint: "Give a whole number from 1." });
  }
  const model = prepareModel(original);
  makeNamesUnique(model);
  const prepared = { model, trace: await traceExamples(model, engine, shapes) };
  const usual = await usualTrace(prepared, engine, shapes);
  const frozen = frozenTensors(original, recovery?.freeze ?? []);
  const found = findLayers(model, prepared.trace, kind, usual);
  const layers = found.filter(({ weights }) => ![...weights].some(({ name }) => frozen(name)));
  assertEnough(layers.length, found.length, kind, "sparsity" in goal ? goal.sparsity : 1);
  const context = { ...options, criterion, rounds, recovery, evaluation, seed };
  const lesson =
    recovery && recovery.epochs > 0 ? await lessonFor(original, original, recovery.data, recovery, context) : null;
  const shallowing = new Shallowing(prepared, layers, lesson, context);
  const before = await shallowing.evaluate();
  const records: RoundRecord[] = [];
  const onRound = (record: RoundRecord) => {
    records.push(record);
    options.onRound?.(record);
  };
  const measured = {
    parameters: (removed: ReadonlySet<ResidualLayer>) => countParameters(shallowing.model(removed).graph).parameters,
    async macs() {
      const nodes = [...model.graph.nodes].map(
        (node) => [node, costWithBodies(node, usual, (each) => macsOf(each, usual))] as const,
      );
      return (removed: ReadonlySet<ResidualLayer>) => {
        const gone = new Set([...removed].flatMap((layer) => [...layer.nodes]));
        return nodes.reduce((sum, [node, macs]) => (gone.has(node) ? sum : sum + macs), 0);
      };
    },
    model: (removed: ReadonlySet<ResidualLayer>) => shallowing.model(removed),
  };
  const { evaluation: after, missed } =
    "maxDrop" in goal
      ? await reachDrop(shallowing, before, goal.maxDrop, onRound)
      : await reach(shallowing, await targetFor(goal, measured), onRound);
  const { proof, removed, scores, history } = shallowing;
  if (!proof) throw new Error("every way to the goal cuts");
  return {
    model: shallowing.model(),
    layers: layers.map((layer) => ({ layer, score: scores.get(layer) ?? 0, removed: removed.has(layer) })),
    proof,
    before,
    after,
    rounds: records,
    history,
    missed,
  };
}

function assertEnough(count: number, found: number, kind: DepthKind, sparsity: number): void {
  if (count < 2 && found > count) {
    const what = `of ${found} ${kind}s ${found - count} hold tensors that are frozen, and one has to stay`;
    throw new EspalierError("bad-usage", what, { hint: "Freeze less." });
  }
  if (count < 2) {
    const what =
      count === 0 ? `the model has no ${kind} that can be bypassed` : `the model has one ${kind}, and one has to stay`;
    throw new EspalierError("unsupported", what, {
      hint: `A ${kind} is what adds to its own input, y = x + f(x). Take another granularity.`,
    });
  }
  if (sparsity * count + 1e-9 >= 1) return;
  throw new EspalierError("bad-usage", `that is less than one of ${count} ${kind}s`, {
    who: "sparsity",
    hint: `Give at least ${Math.ceil(100 / count) / 100}.`,
  });
}
