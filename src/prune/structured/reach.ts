import { EspalierError } from "../../base/errors.js";
import type { Evaluation } from "../../train/evaluate.js";
import type { RoundRecord } from "../round.js";
import { searchDrop } from "../search-drop.js";
import type { CutTarget } from "./goal.js";

/** A network that loses parts, from wherever it is, and is trained. */
export interface Shrinking<Part, State> {
  state: State;
  readonly removed: ReadonlySet<Part>;
  /** Parts there are, and how many of them can go at most. */
  readonly size: { parts: number; most: number };
  evaluate(): Promise<Evaluation | null>;
  /** `name` tells the phases of several calls apart. */
  pruneTo(target: CutTarget<Part>, name: string): Promise<Evaluation | null>;
}

/** How the network does at the end, and what was missed. */
export interface Reached {
  evaluation: Evaluation | null;
  /** Null when all went well; `target-not-reached` or `diverged`, with the best there is in the network. */
  missed: EspalierError | null;
}

/** Takes a network to a target that is known before it is trained. */
export async function reach<Part, State>(
  network: Shrinking<Part, State>,
  target: CutTarget<Part>,
  onRound: (record: RoundRecord) => void,
): Promise<Reached> {
  try {
    const evaluation = await network.pruneTo(target, "prune");
    const { accuracy, loss } = evaluation ?? { accuracy: null, loss: null };
    const sparsity = network.removed.size / network.size.parts;
    onRound({ round: 1, sparsity, accuracy, loss, bytes: null, kept: null });
    return { evaluation, missed: null };
  } catch (error) {
    if (!(error instanceof EspalierError) || error.code !== "diverged") throw error;
    return { evaluation: await network.evaluate(), missed: error };
  }
}

/** Takes as much out of a network as costs no more than some points of accuracy. */
export async function reachDrop<Part, State>(
  network: Shrinking<Part, State>,
  before: Evaluation | null,
  maxDrop: number,
  onRound: (record: RoundRecord) => void,
): Promise<Reached> {
  if (before?.accuracy == null) {
    throw new EspalierError("bad-usage", "points of accuracy need a classifier and labelled data to judge by");
  }
  const { parts, most } = network.size;
  const searched = {
    units: parts,
    most,
    // Whole units are dearer than weights: a third less each time.
    step: 1.5,
    get state() {
      return network.state;
    },
    set state(state) {
      network.state = state;
    },
    removed: () => network.removed.size,
    sparsityAt: () => network.removed.size / parts,
    pruneTo: (count: number, name: string) => network.pruneTo({ share: count / parts }, name),
  };
  return searchDrop(searched, { accuracy: before.accuracy, maxDrop, onRound });
}
