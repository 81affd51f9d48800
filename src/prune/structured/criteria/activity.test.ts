import { expect, it } from "vitest";
import { Net } from "../../../../test/support/cut-model.js";
import { floatTensor } from "../../../base/tensor.js";
import { setConstant } from "../../../graph/edit.js";
import { nodeEngine } from "../../../run/node.js";
import { Activity, type ActivityStatistic } from "../activity.js";
import { buildGroups } from "../build-groups.js";
import { membersOf } from "../members.js";
import { activation, activationVariance, activeShare } from "./activation.js";
import type { ActivityCriterion } from "./criterion.js";
import { fisher, gradientSignal, secondTaylor, taylor } from "./gradient.js";
import { reconstruction } from "./reconstruction.js";

/** Two neurons that weights of [1, 2] and [3, 0] read, with the given statistics. */
async function score(criterion: ActivityCriterion, statistics: Partial<Record<ActivityStatistic, number[]>>) {
  const net = new Net(1);
  const readers = net.weight("out", [2, 2]);
  setConstant(readers, floatTensor([2, 2], [1, 2, 3, 0]));
  const hidden = net.b.emit("MatMul", [net.input(["n", 3]), net.weight("in", [3, 2])]);
  const grouping = await buildGroups(net.output(net.b.emit("MatMul", [hidden, readers])), { engine: nodeEngine });
  const [set] = grouping.sets;
  const given = new Map(
    Object.entries(statistics).map(([name, values]) => [name as ActivityStatistic, Float64Array.from(values)]),
  );
  const place = { set, value: hidden, axis: 1, positions: [[0], [1]] };
  const activity = new Activity({ ...place, readers: membersOf(set).filter(({ side }) => side === "outgoing") }, given);
  return [...Array.from(criterion.score(activity) ?? [])];
}

it("judge by what they say", async () => {
  expect(await score(activation, { magnitude: [0.5, 2] })).toEqual([0.5, 2]);
  expect(await score(activationVariance, { mean: [3, -1], square: [10, 1] })).toEqual([1, 0]);
  expect(await score(activeShare, { zeros: [0.25, 1] })).toEqual([0.75, 0]);
  expect(await score(gradientSignal, { gradient: [2, 1] })).toEqual([2, 1]);
  // Two examples with t of 1 and -3, and two with 2 and 2.
  expect(await score(taylor, { taylorMagnitude: [2, 2] })).toEqual([2, 2]);
  expect(await score(secondTaylor, { taylor: [-1, 2], taylorSquare: [5, 4] })).toEqual([3.5, 0]);
  expect(await score(fisher, { taylorSquare: [5, 4] })).toEqual([2.5, 2]);
  // (1 + 4) * 2 and 9 * 1.
  expect(await score(reconstruction, { square: [2, 1] })).toEqual([10, 9]);
});
