import { expect, test } from "vitest";
import { measureLatency, quantile } from "./latency.js";
import type { Session } from "./session.js";

/** A session that only waits, and notes when it ran. */
function waiting(name: string, milliseconds: number, log: string[]): Session {
  return {
    inputs: [],
    outputs: [],
    async run() {
      log.push(name);
      const end = performance.now() + milliseconds;
      while (performance.now() < end);
      return {};
    },
    async release() {},
  };
}

test("models take turns, warm-up included, and only the timed runs count", async () => {
  const log: string[] = [];
  const [a, b] = [waiting("a", 4, log), waiting("b", 1, log)].map((session) => ({ session, feeds: {} }));
  const seen: [number, number][] = [];
  const [first, second] = await measureLatency([a, b], { warmup: 2, runs: 5, onRun: (...at) => seen.push(at) });
  expect(log.join("")).toBe("ab".repeat(7));
  expect(seen).toEqual([1, 2, 3, 4, 5, 6, 7].map((done) => [done, 7]));
  expect(first.median).toBeGreaterThanOrEqual(4);
  expect(second.median).toBeGreaterThanOrEqual(1);
  expect(second.median).toBeLessThan(first.median);
  expect(first.p95).toBeGreaterThanOrEqual(first.median);
});

test("the quantile lies between neighbours in proportion", () => {
  expect(quantile([7], 0.95)).toBe(7);
  expect(quantile([1, 2, 4], 0.5)).toBe(2);
  expect(quantile([1, 2, 4], 0.75)).toBe(3);
  expect(quantile([0, 10], 0.95)).toBe(9.5);
});

test("an abort stops before the next run", async () => {
  const log: string[] = [];
  const controller = new AbortController();
  const onRun = () => controller.abort();
  const cases = [{ session: waiting("a", 0, log), feeds: {} }];
  const { signal } = controller;
  await expect(measureLatency(cases, { warmup: 0, runs: 9, signal, onRun })).rejects.toMatchObject({
    code: "interrupted",
  });
  expect(log).toHaveLength(1);
  await expect(measureLatency(cases, { runs: 0 })).rejects.toMatchObject({ code: "bad-usage" });
});
