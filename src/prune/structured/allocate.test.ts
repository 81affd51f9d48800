import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import type { Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { type AllocationOptions, allocate, whatStays } from "./allocate.js";
import { buildGroups } from "./build-groups.js";
import type { Group, Grouping } from "./groups.js";

/** Layers of 32, 20 and 6 neurons; the scores are what the groups are numbered. */
async function layered(): Promise<{ grouping: Grouping; scores: Map<Group, number> }> {
  const net = new Net(70);
  let x = net.input(["batch", 4]);
  let width = 4;
  for (const [name, size] of Object.entries({ a: 32, b: 20, c: 6, out: 3 })) {
    x = net.b.emit("Relu", [net.linear(x, name, width, size)]);
    width = size;
  }
  const grouping = await buildGroups(net.output(x), { engine: nodeEngine });
  return { grouping, scores: new Map(grouping.groups.map((group) => [group, group.id])) };
}

async function counts(options: AllocationOptions): Promise<Record<string, number>> {
  const { grouping, scores } = await layered();
  const { removed } = allocate(grouping, scores, options);
  return Object.fromEntries(
    grouping.sets.map(({ name, groups }) => [name[0], groups.filter((group) => removed.has(group)).length]),
  );
}

describe("allocation", () => {
  it("takes the same share of every set, those with the lowest scores", async () => {
    const { grouping, scores } = await layered();
    const { removed } = allocate(grouping, scores, { sparsity: 0.5, roundTo: 1 });
    expect(await counts({ sparsity: 0.5, roundTo: 1 })).toEqual({ a: 16, b: 10, c: 3 });
    for (const { groups } of grouping.sets) {
      const order = [...groups].sort((x, y) => x.id - y.id);
      expect(order.slice(0, groups.length / 2).every((group) => removed.has(group))).toBe(true);
    }
  });

  it("rounds what stays to multiples of 8, and says where that undoes the cut", async () => {
    expect(await counts({ sparsity: 0.4 })).toEqual({ a: 8, b: 4, c: 2 });
    const { grouping, scores } = await layered();
    const { undone } = allocate(grouping, scores, { sparsity: 0.1 });
    expect(undone.map(({ name }) => name[0])).toEqual(["a"]);
  });

  it("takes no more than the given share when it rounds", async () => {
    // 20 neurons: 30 % is 6, 16 would stay at 4; of 32 9 may go, 24 stay.
    expect(await counts({ sparsity: 0.5, maxSparsity: 0.3 })).toEqual({ a: 8, b: 4, c: 1 });
    expect(await counts({ sparsity: 0.5, maxSparsity: 0.1 })).toEqual({ a: 0, b: 0, c: 0 });
  });

  it("rounds channels, of which a unit may have several", async () => {
    const net = new Net(72);
    const grouped = net.conv(net.conv(net.input(["n", 3, 4, 4]), "a", 3, 32), "b", 32, 32, { group: 4 });
    const grouping = await buildGroups(net.output(net.conv(grouped, "c", 32, 3)), { engine: nodeEngine });
    const scores = new Map(grouping.groups.map((group) => [group, group.id]));
    const { removed, undone } = allocate(grouping, scores, { sparsity: 0.3 });
    const after = grouping.sets.map(({ groups }) => {
      const stay = groups.filter((group) => !removed.has(group));
      return stay.reduce((sum, { slices }) => sum + slices[0].positions.length, 0);
    });
    expect(undone).toEqual([]);
    expect(after.map((channels) => channels % 8)).toEqual(after.map(() => 0));
    expect(after.every((channels) => channels < 32)).toBe(true);
  });

  it("refuses multiples and shares that are none", async () => {
    await expect(counts({ sparsity: 0.5, roundTo: 0 })).rejects.toThrow(/multiples of 0/);
    await expect(counts({ sparsity: 0.5, maxSparsity: -1 })).rejects.toThrow(/at most a share of -1/);
  });

  it("never empties a set", async () => {
    expect(await counts({ sparsity: 0.99, roundTo: 1 })).toEqual({ a: 31, b: 19, c: 5 });
  });

  it("lets all sets compete, up to a share of each", async () => {
    // The groups with the lowest numbers are those of the first layer.
    expect(await counts({ sparsity: 0.5, scope: "global", roundTo: 1 })).toEqual({ a: 29, b: 0, c: 0 });
    expect(await counts({ sparsity: 0.5, scope: "global", roundTo: 1, maxSparsity: 0.5 })).toEqual({
      a: 16,
      b: 10,
      c: 3,
    });
  });

  it("lets sets that are alike compete: a and c, with biases, but not b", async () => {
    const net = new Net(71);
    const linear = (x: Value, name: string, from: number, to: number) =>
      net.b.emit("Relu", [net.b.emit("MatMul", [x, net.weight(name, [from, to])])]);
    const a = net.b.emit("Relu", [net.linear(net.input(["n", 4]), "a", 4, 12)]);
    const c = net.b.emit("Relu", [net.linear(linear(a, "b", 12, 10), "c", 10, 8)]);
    const grouping = await buildGroups(net.output(linear(c, "out", 8, 3)), { engine: nodeEngine });
    const scores = new Map(grouping.groups.map((group) => [group, group.id]));
    const { removed } = allocate(grouping, scores, { sparsity: 0.5, scope: "isomorphic", roundTo: 1 });
    const gone = grouping.sets.map((set) => `${set.name} ${set.groups.filter((group) => removed.has(group)).length}`);
    expect(gone.sort()).toEqual(["a 10", "b 5", "c 0"]);
  });

  it("takes shares by pattern, and refuses one that fits nothing", async () => {
    expect(await counts({ sparsity: 0.5, sparsities: { "b*": 0.25 }, roundTo: 1 })).toEqual({ a: 16, b: 5, c: 3 });
    await expect(counts({ sparsity: 0.5, sparsities: { z: 0.2 } })).rejects.toThrow(
      /no weight that can be cut is called 'z'/,
    );
  });

  it("says what stays whatever is asked for", () => {
    expect(whatStays({})).toMatch(/^Layers are rounded to multiples of 8, of which one stays;/);
    expect(whatStays({ roundTo: 1 })).toMatch(/^One unit of each layer stays;/);
    expect(whatStays({ maxSparsity: 0.3 })).toMatch(/^No layer loses more than a share of 0.3;/);
  });

  it("says of layers of one unit why nothing can go", async () => {
    const net = new Net(72);
    const model = net.output(net.linear(net.b.emit("Relu", [net.linear(net.input(["n", 1]), "a", 1, 1)]), "b", 1, 1));
    const grouping = await buildGroups(model, { engine: nodeEngine });
    expect(() => allocate(grouping, new Map(), { sparsity: 0.5 })).toThrow(
      "nothing in the model can be cut. None of its layers has more than one unit.",
    );
  });

  it("says when there is nothing of a kind", async () => {
    await expect(counts({ sparsity: 0.5, units: ["filter"] })).rejects.toThrow(
      "there is no filter in the model that can be cut. It has neuron.",
    );
  });

  it("says what to ask for where normalizations go over all there is", async () => {
    const net = new Net(72);
    const h = net.b.emit("LayerNormalization", [
      net.linear(net.input(["n", 4]), "a", 4, 12),
      net.weight("scale", [12]),
    ]);
    const grouping = await buildGroups(net.output(net.linear(h, "b", 12, 3)), { engine: nodeEngine });
    expect(() => allocate(grouping, new Map(), { sparsity: 0.5 })).toThrow(
      /nothing in the model can be cut.*normalizes over it.*`--granularity width` cuts what means and norms go over\.$/,
    );
  });
});
