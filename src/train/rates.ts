import { EspalierError } from "../base/errors.js";

/** A learning-rate schedule: the factor on the peak rate at a step, for steps 0 .. total - 1. */
export interface RateSchedule {
  name: string;
  factor(step: number, total: number): number;
}

export const constantRate: RateSchedule = { name: "constant", factor: () => 1 };

/** Multiplied by `gamma` at each of `milestones`, given as fractions of the run: by default 0.1 at 1/2 and 3/4. */
export function stepRate(milestones: readonly number[] = [0.5, 0.75], gamma = 0.1): RateSchedule {
  return {
    name: "step",
    factor: (step, total) => gamma ** milestones.filter((milestone) => step >= milestone * total).length,
  };
}

/** From 1 down to 0 along half a cosine (Loshchilov and Hutter, 2017): (1 + cos(pi step / total)) / 2. */
export const cosineRate: RateSchedule = {
  name: "cosine",
  factor: (step, total) => (1 + Math.cos((Math.PI * step) / total)) / 2,
};

/**
 * Up from 1/25 to 1 over the first 30 %, then down to 1/250000, both along cosines: PyTorch's OneCycleLR
 * (Smith and Topin, 2018).
 */
export const oneCycleRate: RateSchedule = {
  name: "one-cycle",
  factor(step, total) {
    const start = 1 / 25;
    const end = start / 1e4;
    const peak = 0.3 * total - 1;
    const cosine = (from: number, to: number, part: number) => to + ((from - to) * (1 + Math.cos(Math.PI * part))) / 2;
    if (step <= peak) return cosine(start, 1, step / peak);
    return cosine(1, end, Math.min(1, (step - peak) / Math.max(1, total - 1 - peak)));
  },
};

/** Rises from 0 to 1 over the first `fraction` of the run, then follows `schedule` over the rest. */
export function warmUp(schedule: RateSchedule, fraction = 0.05): RateSchedule {
  return {
    name: `warm-up ${schedule.name}`,
    factor(step, total) {
      const rising = Math.max(1, Math.round(fraction * total));
      return step < rising ? (step + 1) / rising : schedule.factor(step - rising, Math.max(1, total - rising));
    },
  };
}

const schedules: readonly RateSchedule[] = [
  constantRate,
  stepRate(),
  cosineRate,
  oneCycleRate,
  warmUp(constantRate),
  warmUp(cosineRate),
];

/** The schedule of that name: constant, step, cosine, one-cycle, "warm-up constant", "warm-up cosine". */
export function rateScheduleNamed(name: string): RateSchedule {
  const found = schedules.find((schedule) => schedule.name === name.replace("warm-up-", "warm-up "));
  if (found) return found;
  const known = schedules.map((schedule) => schedule.name.replace(" ", "-")).join(", ");
  throw new EspalierError("bad-usage", `there is no learning-rate schedule '${name}'`, {
    hint: `Choose among ${known}.`,
  });
}
