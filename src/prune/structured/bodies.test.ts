import { describe, expect, it } from "vitest";
import { blobs } from "../../../test/support/blobs.js";
import { Net } from "../../../test/support/cut-model.js";
import { provenCuts, reasonOf, someOf, summary } from "../../../test/support/prove-cut.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, intTensor, sizeOf } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { constants } from "../../graph/constant.js";
import { addGraphOutput, renameValue, setConstant } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups, exampleSizes } from "./build-groups.js";
import { cut } from "./cut.js";
import { reportCut } from "./cut-report.js";
import { observe } from "./observe.js";
import { verifyCut } from "./verify.js";

// Networks whose weights lie in bodies of If, Scan and Loop, or are read there.
const seed = 61;
const proven = (model: Model) => provenCuts(model, seed);

/** An If whose branches are written by `build`, with names that begin as they do. */
function branches(net: Net, x: Value, build: (inner: Net, name: string) => Value, otherwise = build): Value {
  return net.b.emit("If", [net.isPositive(x)], {
    then_branch: net.body("then", (inner) => [build(inner, "then")]),
    else_branch: net.body("else", (inner) => [otherwise(inner, "else")]),
  });
}

describe("groups in an If", () => {
  it("of weights inside both branches: each loses its own, and their outputs the same", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const h = branches(net, x, (inner, name) => {
      const hidden = inner.b.emit("Relu", [inner.linear(x, `${name}.a`, 5, name === "then" ? 8 : 6)]);
      return inner.linear(hidden, `${name}.b`, name === "then" ? 8 : 6, 7);
    });
    const grouping = await proven(net.output(net.linear(h, "c", 7, 3)));
    expect(summary(grouping).sort()).toEqual([
      "neuron else.a: 6, else.a.bias/0x1 else.a/1x1 else.b/0x1",
      "neuron then.a: 8, then.a.bias/0x1 then.a/1x1 then.b/0x1",
      "neuron then.b: 7, c/0x1 else.b.bias/0x1 else.b/1x1 then.b.bias/0x1 then.b/1x1",
    ]);
    expect(reasonOf(grouping, "then.a", 0)).toMatch(/'input' is an input of the model/);
  });

  it("say nothing on data where all of them are summed up in bodies", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const h = branches(net, x, (inner, name) =>
      inner.linear(inner.b.emit("Relu", [inner.linear(x, `${name}.a`, 5, 8)]), `${name}.b`, 8, 7),
    );
    const grouping = await proven(net.output(h));
    expect(grouping.sets.map(({ name }) => name).sort()).toEqual(["else.a", "then.a"]);
    const data = blobs(8, { dims: [5] });
    expect((await observe(grouping, new Set(), ["mean"], { engine: nodeEngine, data, batchSize: 4, seed })).size).toBe(
      0,
    );
  });

  it("of a weight outside that the branches read, in two places", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const h = net.linear(x, "a", 5, 8);
    const shared = net.weight("shared", [8, 6]);
    const y = branches(
      net,
      x,
      (inner) => inner.b.emit("MatMul", [inner.b.emit("Relu", [h]), shared]),
      (inner) => inner.b.emit("MatMul", [inner.b.emit("Mul", [h, inner.b.emit("Sigmoid", [h])]), shared]),
    );
    const grouping = await proven(net.output(net.linear(y, "c", 6, 3)));
    expect(summary(grouping).sort()).toEqual([
      "neuron a: 8, a.bias/0x1 a/1x1 shared/0x1",
      "neuron shared: 6, c/0x1 shared/1x1",
    ]);
  });

  it("of a vector that both branches share: each gets its own", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const bias = net.weight("bias", [8]);
    const h = branches(net, x, (inner, name) => {
      const a = inner.b.emit("Add", [inner.b.emit("MatMul", [x, inner.weight(`${name}.a`, [5, 8])]), bias]);
      return inner.linear(inner.b.emit("Relu", [a]), `${name}.b`, 8, 4);
    });
    const grouping = await proven(net.output(h));
    expect(grouping.sets.map(({ groups }) => groups.length)).toEqual([8, 8]);
    expect([...grouping.copies.values()]).toEqual(["bias"]);
  });

  it("are reported with the branch that they lie in, where both use one name", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const h = branches(net, x, (inner) => inner.linear(inner.linear(x, "a", 5, 8), "b", 8, 4));
    const second = [...constants(net.model.graph)].find(({ value }) => value.name.startsWith("a_"));
    if (second) renameValue(second.value, "a");
    const grouping = await buildGroups(net.output(h), { engine: nodeEngine });
    const { tensors, copies, bodies } = reportCut(grouping, someOf(grouping, 0.5, randomStream(seed, "report")));
    const ofA = Object.keys(tensors).filter((name) => (copies[name] ?? name) === "a");
    const holder = [...grouping.model.graph.nodes].find(({ subgraphs }) => subgraphs.length > 0)?.name;
    expect(ofA.map((name) => bodies[name]).sort()).toEqual([`${holder}.else_branch`, `${holder}.then_branch`]);
  });

  it("of sizes that are written down or read back inside", async () => {
    const net = new Net(seed);
    const x = net.conv(net.input(["batch", 3, "height", "width"]), "a", 3, 8);
    const outside = net.b.emit("Shape", [x]);
    const h = branches(
      net,
      x,
      (inner) => inner.b.emit("Reshape", [inner.reshape(x, [0, 4, 2, -1]), outside]),
      (inner) => {
        const shape = inner.b.emit("Shape", [x]);
        const dim = (index: number) => inner.b.emit("Gather", [shape, inner.b.ints([index])]);
        const flat = inner.b.emit("Reshape", [x, inner.concat(0, dim(0), dim(1), inner.b.ints([-1]))]);
        return inner.b.emit("Reshape", [inner.b.emit("Relu", [flat]), shape]);
      },
    );
    const grouping = await proven(net.output(net.conv(h, "b", 8, 2)));
    expect(grouping.sets).toHaveLength(1);
    expect(summary(grouping)[0]).toContain("a/0x");
  });

  it("nothing where a branch cannot run, with the node named; elsewhere they go on", async () => {
    const net = new Net(seed);
    const x = net.input(["batch", 5]);
    const h = net.linear(net.b.emit("Relu", [net.linear(x, "a", 5, 8)]), "b", 8, 6);
    const batch = net.b.emit("Gather", [net.b.emit("Shape", [x]), net.b.ints([0])]);
    const y = net.b.emit("If", [net.b.emit("Equal", [batch, net.b.ints([1])])], {
      // Of a batch of 1 only, and no example is one.
      then_branch: net.body("then", (inner) => [
        inner.b.emit("Squeeze", [inner.linear(h, "then.c", 6, 4), inner.b.ints([0])]),
      ]),
      else_branch: net.body("else", (inner) => [
        inner.linear(inner.b.emit("Relu", [inner.linear(h, "else.c", 6, 5)]), "else.d", 5, 4),
      ]),
    });
    const grouping = await proven(net.output(y));
    expect(summary(grouping)).toEqual([
      "neuron a: 8, a.bias/0x1 a/1x1 b/0x1",
      "neuron else.c: 5, else.c.bias/0x1 else.c/1x1 else.d/0x1",
    ]);
    expect(reasonOf(grouping, "b", 1)).toMatch(/MatMul .* was not run/);
    expect(reasonOf(grouping, "then.c", 1)).toMatch(/MatMul .* was not run/);
  });

  it("are proven in the branch that is not taken", async () => {
    const net = new Net(seed);
    const x = net.input([2, 5]);
    const h = branches(net, x, (inner, name) =>
      inner.linear(inner.b.emit("Relu", [inner.linear(x, `${name}.a`, 5, 8)]), `${name}.b`, 8, 4),
    );
    const grouping = await buildGroups(net.output(h), { engine: nodeEngine });
    const removed = someOf(grouping, 0.5, randomStream(seed, "cut"));
    const [feeds] = exampleSizes(grouping.model);
    for (const name of ["then.b", "else.b"]) {
      const after = cut(grouping, removed);
      const weight = [...constants(after.graph)].find(({ value }) => value.name === name);
      if (!weight) throw new Error(`no ${name}`);
      const { dims } = weight.tensor;
      setConstant(weight.value, floatTensor(dims, new Float32Array(sizeOf(dims)).fill(1)));
      await expect(verifyCut(grouping, removed, feeds, nodeEngine, after), name).rejects.toThrow(
        /the cut network gives another '[^']*' than the masked one/,
      );
    }
  });
});

/** h' = tanh(x W + h R), written by hand. */
function cell(net: Net, x: Value, h: Value, inputs: number, units: number): Value {
  const sum = net.b.emit("Add", [
    net.b.emit("MatMul", [x, net.weight("w", [inputs, units])]),
    net.b.emit("MatMul", [h, net.weight("r", [units, units])]),
  ]);
  return net.b.emit("Tanh", [sum]);
}

/** A Scan over the first axis of x [T, N, I]; gives the last state [N, H] and all of them [T, N, H]. */
function scan(net: Net, x: Value, state: Value, inputs: number, units: number): Value[] {
  const body = net.body("step", (inner) => {
    const before = inner.input([2, units], "before");
    const after = cell(inner, inner.input([2, inputs], "row"), before, inputs, units);
    return [after, inner.b.emit("Identity", [after])];
  });
  return net.b.emitMany("Scan", [state, x], 2, { num_scan_inputs: attr.int(1), body });
}

describe("groups in a Scan", () => {
  it("of a recurrent cell: hidden units with the state they start from and all that reads them", async () => {
    const net = new Net(seed);
    const x = net.input([5, 2, 3]);
    const [last, all] = scan(net, x, net.weight("start", [2, 6]), 3, 6);
    addGraphOutput(net.model.graph, net.linear(last, "fc", 6, 2));
    const grouping = await proven(net.output(net.linear(all, "all", 6, 3)));
    expect(summary(grouping)).toEqual(["neuron w: 6, all/0x1 fc/0x1 r/0x1 r/1x1 start/1x1 w/1x1"]);
    expect(reasonOf(grouping, "w", 0)).toMatch(/'input' is an input of the model/);
  });

  it("nothing of a state that leaves the model", async () => {
    const net = new Net(seed);
    const [last] = scan(net, net.input([5, 2, 3]), net.input([2, 6], "state"), 3, 6);
    const grouping = await buildGroups(net.output(last), { engine: nodeEngine });
    expect(grouping.sets).toEqual([]);
    expect(reasonOf(grouping, "r", 0)).toMatch(/is an (in|out)put of the model/);
  });
});

/** Three steps of a Loop that carries a state [rows, 6], and, unless the state grows, collects what it was. */
function loop(net: Net, state: Value, rows: number | string, build: (inner: Net, before: Value) => Value): Value[] {
  const collects = typeof rows === "number";
  const body = net.body("step", (inner) => {
    inner.b.input("number", "int64", []);
    const goesOn = inner.b.emit("Identity", [inner.b.input("goes_on", "bool", [])]);
    const after = build(inner, inner.input([rows, 6], "before"));
    return collects ? [goesOn, after, inner.b.emit("Relu", [after])] : [goesOn, after];
  });
  return net.b.emitMany("Loop", [net.b.constant(intTensor([3], [])), null, state], collects ? 2 : 1, { body });
}

describe("groups in a Loop", () => {
  it("of what is carried and what is collected, with a value around it", async () => {
    const net = new Net(seed);
    const x = net.linear(net.input([2, 3]), "x", 3, 4);
    const start = net.linear(net.input([2, 3], "second"), "start", 3, 6);
    const [last, all] = loop(net, start, 2, (inner, before) => cell(inner, x, before, 4, 6));
    addGraphOutput(net.model.graph, net.linear(last, "fc", 6, 2));
    const grouping = await proven(net.output(net.linear(all, "all", 6, 3)));
    expect(summary(grouping).sort()).toEqual([
      "neuron start: 6, all/0x1 fc/0x1 r/0x1 r/1x1 start.bias/0x1 start/1x1 w/1x1",
      "neuron x: 4, w/0x1 x.bias/0x1 x/1x1",
    ]);
  });

  it("of an If in it", async () => {
    const net = new Net(seed);
    const start = net.linear(net.input([2, 3]), "start", 3, 6);
    const [last] = loop(net, start, 2, (inner, before) =>
      branches(inner, before, (deeper, name) => {
        const hidden = deeper.b.emit("Relu", [deeper.linear(before, `${name}.a`, 6, 5)]);
        return deeper.b.emit("Add", [deeper.linear(hidden, `${name}.b`, 5, 6), before]);
      }),
    );
    const grouping = await proven(net.output(net.linear(last, "fc", 6, 2)));
    expect(grouping.sets.map(({ name, groups }) => `${name} ${groups.length}`).sort()).toEqual([
      "else.a 5",
      "start 6",
      "then.a 5",
    ]);
  });

  it("nothing where the state grows from step to step", async () => {
    const net = new Net(seed);
    const start = net.linear(net.input([2, 3]), "start", 3, 6);
    const [last] = loop(net, start, "rows", (inner, before) => inner.concat(0, before, before));
    const grouping = await buildGroups(net.output(net.linear(last, "fc", 6, 2)), { engine: nodeEngine });
    expect(grouping.sets).toEqual([]);
    expect(reasonOf(grouping, "start", 1)).toMatch(/Loop .* has a body whose shapes are not known/);
  });
});
