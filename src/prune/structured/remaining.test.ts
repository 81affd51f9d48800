import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { intTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Model, Value } from "../../graph/ir.js";
import { countLayerCosts } from "../../report/layers.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups } from "./build-groups.js";
import { l1 } from "./criteria/norm.js";
import { cut } from "./cut.js";
import { pruneStructured } from "./prune-structured.js";
import { remaining } from "./remaining.js";

// Multiply-accumulates in bodies, counted by hand for batches of 2.
const seed = 77;

function branched(): Model {
  const net = new Net(seed);
  const x = net.input([2, 5]);
  const branch = (name: string, units: number) =>
    net.body(name, (inner) => [
      inner.linear(inner.b.emit("Relu", [inner.linear(x, `${name}.a`, 5, units)]), `${name}.b`, units, 7),
    ]);
  const y = net.b.emit("If", [net.isPositive(x)], {
    then_branch: branch("then", 8),
    else_branch: branch("else", 6),
  });
  return net.output(net.linear(y, "c", 7, 3));
}

/** A body of x W with x [2, 3] and W [3, 4], and what it gives. */
const step = (inner: Net, x: Value) => inner.b.emit("MatMul", [x, inner.weight("w", [3, 4])]);

function scanned(): Model {
  const net = new Net(seed);
  const body = net.body("step", (inner) => [step(inner, inner.input([2, 3], "row"))]);
  return net.output(net.b.emit("Scan", [net.input([5, 2, 3])], { num_scan_inputs: attr.int(1), body }));
}

/** Three steps of a Loop that carries the sum of what they give, and says itself whether it goes on or not. */
function looped(decides: boolean): Model {
  const net = new Net(seed);
  const x = net.input([2, 3]);
  const body = net.body("step", (inner) => {
    inner.b.input("number", "int64", []);
    const before = inner.b.input("goes_on", "bool", []);
    const sum = inner.b.emit("Add", [inner.input([2, 4], "sum"), step(inner, x)]);
    return [decides ? inner.isPositive(sum) : inner.b.emit("Identity", [before]), sum];
  });
  const start = net.weight("start", [2, 4]);
  return net.output(net.b.emit("Loop", [net.b.constant(intTensor([3], [])), null, start], { body }));
}

const ofThen = 2 * (5 * 8 + 8 * 7);
const ofElse = 2 * (5 * 6 + 6 * 7);
const ofStep = 2 * 3 * 4;

describe("multiply-accumulates", () => {
  it.each([
    ["an If: of its costliest branch", branched(), ofThen + 2 * 7 * 3],
    ["a Scan: of all its steps", scanned(), 5 * ofStep],
    ["a Loop that is told how often: of all its steps", looped(false), 3 * ofStep],
    ["a Loop that decides itself: of one step", looped(true), ofStep],
  ])("of %s", async (_, model, expected) => {
    const grouping = await buildGroups(model, { engine: nodeEngine });
    expect(remaining(grouping, new Set()).macs).toBe(expected);
    expect(await countLayerCosts(model, { engine: nodeEngine })).toMatchObject({ macs: expected, uncounted: [] });
  });

  it("follow a cut of a branch, until another one costs more", async () => {
    const grouping = await buildGroups(branched(), { engine: nodeEngine });
    const units = grouping.groups.filter(({ slices }) => slices.some(({ value }) => value.name === "then.a"));
    for (const [gone, expected] of [
      [1, ofThen - 2 * 12],
      [5, ofElse],
    ]) {
      const removed = new Set(units.slice(0, gone));
      expect(remaining(grouping, removed).macs).toBe(expected + 2 * 7 * 3);
      const { macs } = await countLayerCosts(cut(grouping, removed), { engine: nodeEngine });
      expect(macs).toBe(expected + 2 * 7 * 3);
    }
  });

  it("are a goal", async () => {
    const goal = { macs: { share: 0.5 } };
    const { model } = await pruneStructured(branched(), { engine: nodeEngine, criterion: l1(), goal, roundTo: 1 });
    const { macs } = await countLayerCosts(model, { engine: nodeEngine });
    expect(macs).toBeLessThanOrEqual((ofThen + 2 * 7 * 3) / 2);
    expect(macs).toBeGreaterThan((ofThen + 2 * 7 * 3) / 4);
  });
});
