import { expect, test } from "vitest";
import type { PhaseEpoch, PhaseStep } from "../prune/work.js";
import { CurveRecorder } from "./curve.js";

const step = (phase: string, done: number, totalSteps: number): PhaseStep => ({
  phase,
  done,
  totalSteps,
  loss: 10 - done,
  sparsity: done / 10,
});
const epoch = (phase: string, number: number, steps: number, score: number): PhaseEpoch => ({
  ...{ phase, epoch: number, steps, score, loss: 0.5, sparsity: 0.25 },
  ...{ epochs: 2, accuracy: null, rate: 0.1, seconds: 1 },
});

test("phases follow each other, and accuracy belongs to the last step of its epoch", () => {
  const curve = new CurveRecorder();
  for (const done of [1, 2]) curve.addStep(step("a", done, 4));
  curve.addEpoch(epoch("a", 1, 2, 0.8));
  // Stopped by a divergence after three of four steps.
  curve.addStep(step("a", 3, 4));
  curve.addStep(step("b", 1, 5));
  const points = curve.points([], true);
  expect(points.map((point) => [point.step, point.accuracy])).toEqual([
    [1, null],
    [2, 0.8],
    [3, null],
    [5, null],
  ]);
  expect(points[1]).toEqual({ step: 2, sparsity: 0.2, loss: 8, accuracy: 0.8 });
  expect(curve.points([], false).every(({ accuracy }) => accuracy === null)).toBe(true);
});

test("epochs before a resume are a point each, whole phases of them too, and keep their places", () => {
  const curve = new CurveRecorder();
  for (const done of [5, 6]) curve.addStep(step("b", done, 6));
  curve.addEpoch(epoch("b", 3, 2, 0.9));
  const history = [
    epoch("a", 1, 2, 0.6),
    epoch("a", 2, 2, 0.7),
    ...[1, 2, 3].map((n) => epoch("b", n, 2, 0.6 + n / 10)),
  ];
  const points = curve.points(history, true);
  expect(points.map((point) => [point.step, point.accuracy])).toEqual([
    [2, 0.6],
    [4, 0.7],
    [6, 0.7],
    [8, 0.8],
    [9, null],
    [10, 0.9],
  ]);
  expect(points[0]).toEqual({ step: 2, sparsity: 0.25, loss: 0.5, accuracy: 0.6 });
});
