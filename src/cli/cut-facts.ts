import { formatCount, formatPercent } from "../base/format.js";
import type { RefittedLayer } from "../prune/structured/refit/refit.js";
import type { Remaining } from "../prune/structured/remaining.js";
import type { Proof } from "../prune/structured/verify.js";

// What a cut is told by, beside the figures of the network: names and values for `renderFacts`.

/** How far the cut network and the masked one were apart, at the output where they were most. */
export function proofFact({ differences }: Pick<Proof, "differences">): [string, string] {
  const largest = Math.max(0, ...Object.values(differences));
  const apart = `differ by ${largest.toExponential(1)} of the largest element at most`;
  return ["proven", `cut and masked network ${largest === 0 ? "give the same outputs" : apart}`];
}

/** By how much outputs of layers were off before and after they were fitted, in the mean; nothing without such. */
export function refitFacts(refits: readonly Pick<RefittedLayer, "name" | "before" | "after">[]): [string, string][] {
  if (refits.length === 0) return [];
  const layers = new Set(refits.map(({ name }) => name)).size;
  const mean = (of: "before" | "after") => refits.reduce((sum, fit) => sum + fit[of], 0) / refits.length;
  const change = `off by ${formatPercent(mean("before"))}, now by ${formatPercent(mean("after"))}`;
  return [["refitted", `${formatCount(layers)} ${layers === 1 ? "layer" : "layers"}, which gave outputs ${change}`]];
}

/** The shares of parameters and MACs that a cut leaves. */
export function shareLeft(before: Remaining, after: Remaining): Remaining {
  const share = (of: keyof Remaining) => (before[of] === 0 ? 1 : after[of] / before[of]);
  return { parameters: share("parameters"), macs: share("macs") };
}

export const leftLine = ({ parameters, macs }: Remaining): string =>
  `what stays: ${formatPercent(parameters)} of the parameters, ${formatPercent(macs)} of the MACs`;
