/** One attempt of the loop prune, train, evaluate. */
export interface RoundRecord {
  /** Counts from 1. */
  round: number;
  /** Fraction of the units that were removed. */
  sparsity: number;
  /** On the data that judge, 0 to 1; null without class labels. */
  accuracy: number | null;
  /** Null when there is nothing to judge by. */
  loss: number | null;
  /** Size of the file as it would be saved; null where nobody asked for it. */
  bytes: number | null;
  /** Whether the round kept the target; null where there was none. */
  kept: boolean | null;
}
