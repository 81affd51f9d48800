import { expect, test } from "vitest";
import { CurveRecorder } from "./curve.js";

test("phases follow each other, resumed ones with a gap, and accuracy belongs to the step before", () => {
  const curve = new CurveRecorder();
  curve.addAccuracy(0.1);
  curve.addStep({ phase: "a", done: 1, totalSteps: 2, loss: 3, sparsity: 0 });
  curve.addStep({ phase: "a", done: 2, totalSteps: 2, loss: 2, sparsity: 0.5 });
  curve.addAccuracy(0.8);
  curve.addStep({ phase: "b", done: 4, totalSteps: 5, loss: 1, sparsity: 0.9 });
  curve.addStep({ phase: "b", done: 5, totalSteps: 5, loss: 1, sparsity: 0.9 });
  curve.addStep({ phase: "c", done: 1, totalSteps: 5, loss: 1, sparsity: 0.9 });
  expect(curve.points.map(({ step, accuracy }) => [step, accuracy])).toEqual([
    [1, null],
    [2, 0.8],
    [6, null],
    [7, null],
    [8, null],
  ]);
});
