import { activation, activationVariance, activeShare } from "./activation.js";
import type { GroupCriterion } from "./criterion.js";
import { geometricMedian } from "./geometric-median.js";
import { fisher, gradientSignal, secondTaylor, taylor } from "./gradient.js";
import { l1, l2 } from "./norm.js";
import { randomGroups } from "./random.js";
import { reconstruction } from "./reconstruction.js";
import { normalizationScale } from "./scale.js";

/** The criteria that the command line knows, the default first. */
export const structuredCriteria: readonly GroupCriterion[] = [
  l1(),
  l2(),
  l1("outgoing"),
  l2("outgoing"),
  l1("all"),
  l2("all"),
  geometricMedian,
  normalizationScale,
  randomGroups,
  activation,
  activationVariance,
  activeShare,
  reconstruction,
  gradientSignal,
  taylor,
  secondTaylor,
  fisher,
];
