import { describe, expect, it } from "vitest";
import { ResidualNet } from "../../../test/support/residual-nets.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, intTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { constantOf } from "../../graph/constant.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups, exampleSizes } from "./build-groups.js";
import { l2 } from "./criteria/norm.js";
import { cut } from "./cut.js";
import type { Grouping } from "./groups.js";
import { pruneStructured } from "./prune-structured.js";
import { verifyCut } from "./verify.js";

const seed = 140;
const [heads, dim] = [3, 8];
const size = heads * dim;
const tokens = ["batch", "positions", 5] as const;

/** Cuts within heads, at two sizes, and proves it. */
async function proven(model: Model): Promise<Grouping> {
  const grouping = await buildGroups(model, { engine: nodeEngine, prefer: ["head-dim"] });
  const random = randomStream(seed, "cut");
  const sets = grouping.sets.filter(({ unit }) => unit === "head-dim");
  const removed = new Set(
    sets.flatMap(({ groups }) => [...random.permutation(groups.length)].slice(0, 2).map((i) => groups[i])),
  );
  expect(removed.size).toBe(2 * sets.length);
  const after = cut(grouping, removed);
  for (const example of exampleSizes(grouping.model)) {
    const { differences } = await verifyCut(grouping, removed, example, nodeEngine, after);
    expect(Object.values(differences).every((difference) => difference < 1e-4)).toBe(true);
  }
  return grouping;
}

/** `groups: weights of the first one` of the sets that are cut within heads. */
const summary = ({ sets }: Grouping) =>
  sets.flatMap(({ unit, groups }) => {
    if (unit !== "head-dim") return [];
    const slices = groups[0].slices.map(({ value, axis, positions }) => `${value.name}/${axis}x${positions.length}`);
    return [
      `${groups.length}: ${slices
        .filter((slice) => !slice.includes("bias"))
        .sort()
        .join(" ")}`,
    ];
  });

const split = (net: ResidualNet, x: Value, count = heads) =>
  net.transpose(net.reshape(x, [0, 0, count, dim]), [0, 2, 1, 3]);

interface Parts {
  turn?: (x: Value) => Value;
  scale?: (q: Value) => Value;
  name?: string;
}

/** From heads of queries, keys and values [N, heads, T, dim] to [N, T, 4]. */
function attend(net: ResidualNet, q: Value, k: Value, v: Value, { turn = (x) => x, scale, name = "" }: Parts): Value {
  const product = net.b.emit("MatMul", [turn(q), net.transpose(turn(k), [0, 1, 3, 2])]);
  const factor = scale?.(q) ?? net.b.constant(floatTensor([], [1 / Math.sqrt(dim)]), `${name}scale`);
  const weights = net.b.emit("Softmax", [net.b.emit("Mul", [product, factor])]);
  const mixed = net.transpose(net.b.emit("MatMul", [weights, v]), [0, 2, 1, 3]);
  return net.linear(net.reshape(mixed, [0, 0, size]), `${name}o`, size, 4);
}

function separate(net: ResidualNet, x: Value, parts: Parts = {}): Value {
  const [q, k, v] = ["q", "k", "v"].map((each) => split(net, net.linear(x, `${parts.name ?? ""}${each}`, 5, size)));
  return attend(net, q, k, v, parts);
}

/** Slices the last axis of [N, heads, T, dim]. */
const part = (net: ResidualNet, x: Value, from: number, to: number, step = 1) =>
  net.b.emit("Slice", [x, ...[[from], [to], [3], [step]].map((list) => net.b.constant(intTensor(list)))]);

const times = (net: ResidualNet, x: Value, factor: Value) => net.b.emit("Mul", [x, factor]);

/** The first and the second half of `count` dimensions are turned together, as Llama does. */
function turnHalves(net: ResidualNet, count = dim): (x: Value) => Value {
  const [cos, sin] = ["cos", "sin"].map((name) => net.weight(name, [1, count]));
  return (x) => {
    const turned = net.concat(3, net.b.emit("Neg", [part(net, x, count / 2, count)]), part(net, x, 0, count / 2));
    return net.b.emit("Add", [times(net, x, cos), times(net, turned, sin)]);
  };
}

/** Only the first half of the dimensions is turned at all, as GPT-NeoX does. */
function turnSome(net: ResidualNet): (x: Value) => Value {
  const turn = turnHalves(net, dim / 2);
  return (x) => net.concat(3, turn(part(net, x, 0, dim / 2)), part(net, x, dim / 2, dim));
}

/** Of (a, b) on the last axis: (a cos - b sin, a sin + b cos). */
function turnPairs(net: ResidualNet, a: Value, b: Value, [cos, sin]: readonly Value[]): Value[] {
  const [first, second] = [net.b.emit("Sub", [times(net, a, cos), times(net, b, sin)]), times(net, a, sin)];
  return [first, net.b.emit("Add", [second, times(net, b, cos)])];
}

/** Neighbours are turned together, brought apart by a Reshape. */
function turnNeighbours(net: ResidualNet): (x: Value) => Value {
  const angles = ["cos", "sin"].map((name) => net.weight(name, [dim / 2, 1]));
  return (x) => {
    const [a, b] = net.split(net.reshape(x, [0, heads, -1, dim / 2, 2]), 4, [1, 1]);
    return net.reshape(net.concat(4, ...turnPairs(net, a, b, angles)), [0, heads, -1, dim]);
  };
}

/** The same, by slices in steps of 2. */
function turnStrided(net: ResidualNet): (x: Value) => Value {
  const angles = ["cos", "sin"].map((name) => net.weight(name, [1, dim / 2]));
  return (x) => {
    const both = turnPairs(net, part(net, x, 0, dim, 2), part(net, x, 1, dim, 2), angles);
    const columns = both.map((each) => net.b.emit("Unsqueeze", [each, net.b.ints([-1])]));
    return net.reshape(net.concat(4, ...columns), [0, heads, -1, dim]);
  };
}

describe("what is within heads", () => {
  it("leaves queries with keys, and values with the output, the same of every head", async () => {
    const net = new ResidualNet(seed);
    const grouping = await proven(net.output(separate(net, net.input(tokens))));
    expect(summary(grouping)).toEqual(["8: k/1x3 q/1x3", "8: o/0x3 v/1x3"]);
    const { slices } = grouping.sets[0].groups[2];
    expect(slices[0].positions).toEqual([2, 2 + dim, 2 + 2 * dim]);
    // Heads are the choice without a wish.
    const [set] = (await buildGroups(grouping.model, { engine: nodeEngine })).sets;
    expect([set.unit, set.groups.length]).toEqual(["head", heads]);
  });

  it("keeps the scale that the network was trained with, written down or computed from a shape", async () => {
    const written = new ResidualNet(seed);
    const grouping = await proven(written.output(separate(written, written.input(tokens))));
    const dims = grouping.sets.map(({ groups }) => groups[0]);
    const scale = constantOf(cut(grouping, new Set(dims)).graph.find("scale") ?? null);
    expect(scale?.array[0]).toBeCloseTo(1 / Math.sqrt(dim), 6);

    const net = new ResidualNet(seed);
    const computed = (q: Value) => {
      const last = net.b.emit("Gather", [net.b.emit("Shape", [q]), net.b.constant(intTensor([3]))]);
      const root = net.b.emit("Sqrt", [net.b.emit("Cast", [last], { to: attr.int(1) })]);
      return net.b.emit("Reciprocal", [root]);
    };
    expect(summary(await proven(net.output(separate(net, net.input(tokens), { scale: computed }))))).toHaveLength(2);
  });

  it("of a fused projection: apart where it is split first, together where one axis holds all three", async () => {
    const first = new ResidualNet(seed);
    const whole = first.linear(first.input(tokens), "qkv", 5, 3 * size);
    const [q, k, v] = first.split(whole, 2, [size, size, size]).map((each) => split(first, each));
    expect(summary(await proven(first.output(attend(first, q, k, v, {}))))).toEqual(["8: qkv/1x6", "8: o/0x3 qkv/1x3"]);

    const net = new ResidualNet(seed);
    const qkv = net.reshape(net.linear(net.input(tokens), "qkv", 5, 3 * size), [0, 0, 3, heads, dim]);
    const apart = net.transpose(qkv, [2, 0, 3, 1, 4]);
    const [a, b, c] = [0, 1, 2].map((i) => net.b.emit("Gather", [apart, net.b.constant(intTensor([i], []))]));
    expect(summary(await proven(net.output(attend(net, a, b, c, {}))))).toEqual(["8: o/0x3 qkv/1x9"]);
  });

  it("of grouped queries: a key's dimension with that of all its queries", async () => {
    const net = new ResidualNet(seed);
    const x = net.input(["batch", 6, 5]);
    const repeated = (name: string) => {
      const one = split(net, net.linear(x, name, 5, dim), 1);
      return net.b.emit("Expand", [one, net.b.ints([1, heads, 6, dim])]);
    };
    const q = split(net, net.linear(x, "q", 5, size));
    const grouping = await proven(net.output(attend(net, q, repeated("k"), repeated("v"), {})));
    expect(summary(grouping)).toEqual(["8: k/1x1 q/1x3", "8: o/0x3 v/1x1"]);
  });

  it.each([
    ["halves", turnHalves, 4, [1, 5], "4: cos/1x2 k/1x6 q/1x6 sin/1x2"],
    ["the first dimensions only", turnSome, 6, [1, 3], "2: cos/1x2 k/1x6 q/1x6 sin/1x2"],
    ["neighbours", turnNeighbours, 4, [2, 3], "4: cos/0x1 k/1x6 q/1x6 sin/0x1"],
  ] as const)(
    "of rotary positions, %s: what is turned together leaves together",
    async (_, turn, count, pair, first) => {
      const net = new ResidualNet(seed);
      const grouping = await proven(net.output(separate(net, net.input(tokens), { turn: turn(net) })));
      expect(summary(grouping)[0]).toBe(first);
      const slices = grouping.groups.flatMap((group) => group.slices.filter(({ value }) => value.name === "q"));
      expect(slices).toHaveLength(count);
      const expected = [0, 1, 2].flatMap((head) => pair.map((j) => j + head * dim));
      expect(slices.map(({ positions }) => positions)).toContainEqual(expected);
    },
  );

  it("of rotary positions, slices in steps: queries and keys stay whole", async () => {
    const net = new ResidualNet(seed);
    const grouping = await proven(net.output(separate(net, net.input(tokens), { turn: turnStrided(net) })));
    expect(summary(grouping)).toEqual(["8: o/0x3 v/1x3"]);
    expect(grouping.frozen.find(({ value }) => value.name === "cos")?.reason).toMatch(/takes it in steps of 2/);
  });

  it("of layers that share their angles: the same in all of them", async () => {
    const net = new ResidualNet(seed);
    const turn = turnHalves(net);
    const x = net.input(tokens);
    const [a, b] = ["a.", "b."].map((name) => separate(net, x, { turn, name }));
    const grouping = await proven(net.output(net.b.emit("Add", [a, b])));
    expect(summary(grouping)).toContain("4: a.k/1x6 a.q/1x6 b.k/1x6 b.q/1x6 cos/1x2 sin/1x2");
  });

  it("stays where queries and keys are normalized over it", async () => {
    const net = new ResidualNet(seed);
    const turn = (x: Value) => net.norm(x, "norm", dim);
    const grouping = await proven(net.output(separate(net, net.input(tokens), { turn })));
    expect(summary(grouping)).toEqual(["8: o/0x3 v/1x3"]);
    const frozen = grouping.frozen.find(({ value, axis }) => value.name === "q" && axis === 1);
    expect(frozen?.reason).toBeDefined();
  });

  it("goes by its score when asked for, in multiples of 8 unless rounding is off", async () => {
    const net = new ResidualNet(seed);
    const model = net.output(separate(net, net.input(tokens)));
    const options = { engine: nodeEngine, criterion: l2(), units: ["head-dim"] as const, goal: { sparsity: 0.5 } };
    const { model: smaller, removed, undone } = await pruneStructured(model, { ...options, roundTo: 1 });
    expect(removed.size).toBe(8);
    expect(constantOf(smaller.graph.find("q") ?? null)?.dims).toEqual([5, size / 2]);
    expect(undone).toEqual([]);
    expect((await pruneStructured(model, options)).undone).toHaveLength(2);
  });
});
