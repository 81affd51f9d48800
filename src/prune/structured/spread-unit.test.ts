import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { provenCuts } from "../../../test/support/prove-cut.js";
import type { Value } from "../../graph/ir.js";

const seed = 83;

/** Softmax(q k^T) v of [batch, heads, length, size] each. */
function attend(net: Net, q: Value, k: Value, v: Value): Value {
  const scores = net.b.emit("MatMul", [q, net.transpose(k, [0, 1, 3, 2])]);
  return net.b.emit("MatMul", [net.b.emit("Softmax", [scores]), v]);
}

const kinds = (grouping: Awaited<ReturnType<typeof provenCuts>>) =>
  grouping.sets.map(({ unit, name, groups }) => `${unit} ${name} ${groups.length}`);

describe("heads of which some are picked", () => {
  it("many queries with one key and value, side by side on one axis, are cut by queries", async () => {
    const net = new Net(seed);
    // 4 heads of queries, then one of keys and one of values, of 16 each: the axis of 96 is [6, 16].
    const all = net.reshape(net.linear(net.input(["batch", 5, 10]), "qkv", 10, 96), [0, 0, 6, 16]);
    const slice = (from: number, to: number) => {
      const [start, end, axis] = [[from], [to], [2]].map((list) => net.b.ints(list));
      return net.transpose(net.b.emit("Slice", [all, start, end, axis]), [0, 2, 1, 3]);
    };
    const attended = attend(net, slice(0, 4), slice(4, 5), slice(5, 6));
    const flat = net.reshape(net.transpose(attended, [0, 2, 1, 3]), [0, 0, 64]);
    const grouping = await provenCuts(net.output(net.linear(flat, "out", 64, 3)), seed);
    expect(kinds(grouping)).toEqual(["head qkv 4"]);
  });

  it("heads joined from two projections whose axes have finer factors", async () => {
    const net = new Net(seed);
    // Of each projection [2 heads, q k v, 16] lie on an axis of 96, which the grouped Conv reads as [6, 16].
    const first = net.conv(net.input(["batch", 3, 2, 4]), "first", 3, 96, { bias: false });
    const second = net.conv(first, "second", 96, 96, { group: 6, bias: false });
    const all = net.reshape(net.concat(1, first, second), [0, 4, 48, 8]);
    const parts = net.split(net.transpose(all, [0, 1, 3, 2]), 3, [16, 16, 16]);
    const [q, k, v] = parts.map((part) => net.b.emit("Relu", [part]));
    const attended = net.reshape(net.transpose(attend(net, q, k, v), [0, 1, 3, 2]), [0, 64, 2, 4]);
    const grouping = await provenCuts(net.output(net.conv(attended, "out", 64, 3)), seed);
    expect(kinds(grouping)).toEqual(["head first 2"]);
    const [{ slices }] = grouping.groups;
    const places = slices.map(({ value, axis, positions }) => `${value.name}/${axis}x${positions.length}`);
    expect(places.sort()).toEqual(["first/0x48", "out/1x32", "second/0x48"]);
  });
});
