import type { DataSplits, Dataset } from "../data/dataset.js";
import { splitDataset } from "../data/split.js";
import type { Model } from "../graph/ir.js";
import { type DataOptions, firstLabelled, loadData } from "./data.js";
import type { Terminal } from "./terminal.js";

/** What is learnt from, what the run is judged by, and what the result is. */
export interface PruneData {
  train: Dataset;
  /** Null where nothing has labels. */
  judge: Dataset | null;
  /** What `judge` is, for the lines of the epochs. */
  judgeName: "validation" | "test" | "training data";
  test: Dataset | null;
}

export async function readPruneData(
  what: string | undefined,
  options: DataOptions,
  model: Model,
  { share, seed }: { share: number | undefined; seed: number },
  terminal: Terminal,
): Promise<PruneData | null> {
  if (what === undefined) return null;
  const splits = await loadData(what, options, model, terminal);
  const held: DataSplits = share === undefined ? splits : splitDataset(splits.train, share, seed);
  const { train } = held;
  const judge = firstLabelled(held.test, splits.test, train);
  if (judge === train) {
    terminal.note(
      "judged by the data that are learnt from, since there are no others: --validation 0.1 holds some out",
    );
  }
  const judgeName = judge === train ? "training data" : share === undefined ? "test" : "validation";
  return { train, judge, judgeName, test: firstLabelled(splits.test, held.test, train) };
}
