import { binaryCrossEntropy } from "../../src/train/losses/binary-cross-entropy.js";
import { crossEntropy } from "../../src/train/losses/cross-entropy.js";
import { ctc } from "../../src/train/losses/ctc.js";
import { huber } from "../../src/train/losses/huber.js";
import type { Loss } from "../../src/train/losses/loss.js";
import { meanSquare } from "../../src/train/losses/mean-square.js";

const losses: Record<string, Loss> = {
  "cross-entropy": crossEntropy(),
  "binary-cross-entropy": binaryCrossEntropy(),
  "mean-square": meanSquare,
  huber: huber(),
  ctc: ctc(),
};

export function lossNamed(name: string): Loss {
  const loss = losses[name];
  if (!loss) throw new Error(`no loss ${name}`);
  return loss;
}
