import type { Model } from "../../graph/ir.js";
import type { Shapes } from "../../run/example.js";
import type { Engine } from "../../run/session.js";
import { type AllocationOptions, allocate } from "./allocate.js";
import { buildGroups, exampleSizes } from "./build-groups.js";
import { cut } from "./cut.js";
import type { Group, Grouping, GroupSet } from "./groups.js";
import { type ScoreOptions, scoreGroups } from "./score.js";
import { type Proof, verifyCut } from "./verify.js";

export interface StructuredOptions extends ScoreOptions, AllocationOptions {
  engine: Engine;
  /** Dims of inputs whose file leaves axes free, by input. What is not given is made up. */
  shapes?: Shapes;
}

export interface StructuredResult {
  /** The smaller network, at opset 21. */
  model: Model;
  /** What could be taken out, with every frozen axis and its reason. */
  grouping: Grouping;
  removed: ReadonlySet<Group>;
  /** Sets that were left whole since rounding would undo the cut. */
  undone: readonly GroupSet[];
  proof: Proof;
}

/**
 * Takes neurons, filters, heads and hidden units out of a network at once, with everything that depends on them, and
 * proves that what is left computes what the original does with the same groups masked. The original is left alone.
 * Throws `unsupported` when nothing can be cut or the proof fails, `bad-usage` for options that do not fit.
 */
export async function pruneStructured(original: Model, options: StructuredOptions): Promise<StructuredResult> {
  const { engine, shapes } = options;
  const grouping = await buildGroups(original, { engine, shapes });
  const { removed, undone } = allocate(grouping, scoreGroups(grouping, options), options);
  const model = cut(grouping, removed);
  const [example] = exampleSizes(grouping.model, shapes);
  return { model, grouping, removed, undone, proof: await verifyCut(grouping, removed, example, engine, model) };
}
