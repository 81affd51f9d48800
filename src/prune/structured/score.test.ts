import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { floatTensor } from "../../base/tensor.js";
import { setConstant } from "../../graph/edit.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import type { GroupCriterion, WeightCriterion } from "./criteria/criterion.js";
import { geometricMedian } from "./criteria/geometric-median.js";
import { l1, l2 } from "./criteria/norm.js";
import { randomGroups } from "./criteria/random.js";
import { type ScoreOptions, scoreGroups } from "./score.js";

/** Two inputs, three neurons with incoming weights [3, -4], [0, 2], [1, 0] and outgoing ones [1, 1], [-5, 0], [2, 2]. */
async function scores(options: ScoreOptions): Promise<number[]> {
  const net = new Net(80);
  const [w, v] = [net.weight("w", [2, 3]), net.weight("v", [3, 2])];
  setConstant(w, floatTensor([2, 3], [3, 0, 1, -4, 2, 0]));
  setConstant(v, floatTensor([3, 2], [1, 1, -5, 0, 2, 2]));
  const h = net.b.emit("Add", [net.b.emit("MatMul", [net.input(["batch", 2]), w]), net.weight("bias", [3])]);
  const model = net.output(net.b.emit("MatMul", [h, v]));
  const grouping = await buildGroups(model, { engine: nodeEngine });
  return [...scoreGroups(grouping, { normalization: "none", ...options }).values()];
}

describe("scores of groups", () => {
  it("by norms of incoming, outgoing and all weights", async () => {
    expect(await scores({ criterion: l1() })).toEqual([7, 2, 1]);
    expect(await scores({ criterion: l2() })).toEqual([5, 2, 1]);
    expect(await scores({ criterion: l1("outgoing") })).toEqual([2, 5, 4]);
    const all = await scores({ criterion: { ...l1("all"), score: ignoringOwn(l1("all")) }, reduction: "sum" });
    expect(all).toEqual([9, 7, 5]);
  });

  it("are refused where a criterion does not give a number for each unit", async () => {
    const giving = (numbers: readonly number[]): WeightCriterion => ({ name: "odd", score: () => numbers });
    await expect(scores({ criterion: giving([1, Number.NaN, 2]) })).rejects.toThrow(/criterion odd: gave NaN of 'w'/);
    await expect(scores({ criterion: giving([1, 2]) })).rejects.toThrow(/gave 2 numbers for 3 units/);
  });

  it("reduce over weights by sum, mean, maximum, product or the first", async () => {
    const criterion = { ...l1("all"), score: ignoringOwn(l1("all")) };
    expect(await scores({ criterion, reduction: "mean" })).toEqual([4.5, 3.5, 2.5]);
    expect(await scores({ criterion, reduction: "max" })).toEqual([7, 5, 4]);
    expect(await scores({ criterion, reduction: "product" })).toEqual([14, 10, 4]);
    expect(await scores({ criterion: l1(), reduction: "first" })).toEqual([7, 2, 1]);
  });

  it("are normalized within their set", async () => {
    expect(await scores({ criterion: l1(), normalization: "sum" })).toEqual([0.7, 0.2, 0.1]);
    expect(await scores({ criterion: l1(), normalization: "max" })).toEqual([1, 2 / 7, 1 / 7]);
    expect(await scores({ criterion: l1(), normalization: "mean" })).toEqual(
      [2.1, 0.6, 0.3].map((x) => expect.closeTo(x, 12)),
    );
    expect(await scores({ criterion: l1(), normalization: "layer-adaptive" })).toEqual([1, 2 / 9, 0.1]);
  });

  it("by distance from the others: the middle one can go", async () => {
    const distances = [Math.hypot(3, 6), Math.hypot(2, 4), Math.hypot(1, 2)];
    const [ab, ac, bc] = distances;
    expect(await scores({ criterion: geometricMedian })).toEqual(
      [ab + ac, ab + bc, ac + bc].map((x) => expect.closeTo(x, 5)),
    );
  });

  it("at random follow the seed", async () => {
    const first = await scores({ criterion: randomGroups, seed: 1 });
    expect(await scores({ criterion: randomGroups, seed: 1 })).toEqual(first);
    expect(await scores({ criterion: randomGroups, seed: 2 })).not.toEqual(first);
  });

  it("by a criterion of one's own", async () => {
    const largest: GroupCriterion = {
      name: "largest",
      score: (member) =>
        member.side === "incoming" ? member.positions.map((_, i) => Math.max(...member.slice(i))) : null,
    };
    expect(await scores({ criterion: largest })).toEqual([3, 2, 1]);
  });
});

const ignoringOwn =
  (criterion: WeightCriterion): WeightCriterion["score"] =>
  (member, random) =>
    member.side === "own" ? null : criterion.score(member, random);
