import { describe, expect, it } from "vitest";
import { EspalierError } from "../base/errors.js";
import { constantRate, cosineRate, oneCycleRate, rateScheduleNamed, stepRate, warmUp } from "./rates.js";

// torch.optim.lr_scheduler.OneCycleLR(max_lr=1, total_steps=20) of PyTorch 2.15.
const oneCycle = [
  0.04, 0.13167184, 0.37167184, 0.66832816, 0.90832816, 1.0, 0.98746401, 0.95048463, 0.89091618, 0.81174565, 0.716943,
  0.61126202, 0.500002, 0.38874198, 0.283061, 0.18825835, 0.10908782, 0.04951937, 0.01253999, 4e-6,
];

describe("learning-rate schedules", () => {
  it("one-cycle is PyTorch's OneCycleLR", () => {
    for (const [step, rate] of oneCycle.entries()) expect(oneCycleRate.factor(step, 20)).toBeCloseTo(rate, 7);
  });

  it("one-cycle of a very short run stays within 0 and 1", () => {
    for (const total of [1, 2, 3, 4]) {
      for (let step = 0; step < total; step++) {
        const factor = oneCycleRate.factor(step, total);
        expect(factor).toBeGreaterThan(0);
        expect(factor).toBeLessThanOrEqual(1);
      }
    }
  });

  it("cosine goes from 1 through 1/2 to nearly 0", () => {
    expect(cosineRate.factor(0, 100)).toBe(1);
    expect(cosineRate.factor(50, 100)).toBeCloseTo(0.5, 12);
    expect(cosineRate.factor(99, 100)).toBeLessThan(0.001);
  });

  it("step falls tenfold at half and three quarters", () => {
    const factors = [0, 49, 50, 74, 75, 99].map((step) => stepRate().factor(step, 100));
    for (const [i, expected] of [1, 1, 0.1, 0.1, 0.01, 0.01].entries()) expect(factors[i]).toBeCloseTo(expected, 12);
  });

  it("warm-up rises linearly, then hands the rest to its schedule", () => {
    const schedule = warmUp(cosineRate, 0.1);
    expect(schedule.factor(0, 100)).toBeCloseTo(0.1, 12);
    expect(schedule.factor(9, 100)).toBe(1);
    expect(schedule.factor(10, 100)).toBe(1);
    expect(schedule.factor(55, 100)).toBeCloseTo(0.5, 12);
  });

  it("finds every schedule by name and refuses others with the list", () => {
    expect(rateScheduleNamed("constant")).toBe(constantRate);
    expect(rateScheduleNamed("warm-up-cosine").name).toBe("warm-up cosine");
    expect(() => rateScheduleNamed("linear")).toThrow(EspalierError);
    expect(() => rateScheduleNamed("linear")).toThrow(/Choose among constant, step, cosine, one-cycle/);
  });
});
