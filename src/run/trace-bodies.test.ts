import { describe, expect, it } from "vitest";
import { floatTensor, intTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, createSubgraph } from "../graph/edit.js";
import { type Attribute, Model, type Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { inferTrace } from "./infer.js";
import { nodeEngine } from "./node.js";
import type { Tensors } from "./session.js";
import { traceBodies } from "./trace-bodies.js";

/** Values inside bodies, to ask the trace about. */
type Noted = Record<string, Value>;

function body(outer: Builder, name: string, build: (b: Builder) => readonly Value[]): Attribute {
  const graph = createSubgraph(outer.graph, name);
  for (const output of build(new Builder(graph))) addGraphOutput(graph, output);
  return attr.graph(graph);
}

const concat = (b: Builder, ...parts: Value[]) => b.emit("Concat", parts, { axis: attr.int(0) });
const dimOf = (b: Builder, x: Value, index: number) => b.emit("Gather", [b.emit("Shape", [x]), b.ints([index])]);

describe("tracing bodies", () => {
  it("shows dims and computed shapes of both branches, nested ones too", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const x = b.input("x", "float", ["batch", 6]);
    const batch = dimOf(b, x, 0);
    const taken = b.emit("Greater", [b.emit("ReduceSum", [x], { keepdims: attr.int(0) }), b.scalar(0)]);
    const noted: Noted = {};
    const y = b.emit("If", [taken], {
      then_branch: body(b, "then", (inner) => {
        noted.shape = concat(inner, batch, inner.ints([2, 3]));
        noted.cube = inner.emit("Reshape", [x, noted.shape]);
        const deeper = inner.emit("If", [taken], {
          then_branch: body(inner, "deep", (deep) => {
            noted.turned = deep.emit("Transpose", [noted.cube], { perm: attr.ints([2, 0, 1]) });
            return [deep.emit("Reshape", [noted.turned, deep.ints([-1, 6])])];
          }),
          else_branch: body(inner, "deep else", (deep) => [deep.emit("Relu", [x])]),
        });
        return [inner.emit("Neg", [deeper])];
      }),
      else_branch: body(b, "else", (inner) => {
        noted.wide = inner.emit("Concat", [x, x], { axis: attr.int(1) });
        return [inner.emit("MatMul", [noted.wide, inner.constant(floatTensor([12, 6], Array(72).fill(1)))])];
      }),
    });
    addGraphOutput(model.graph, y);
    const trace = await traced(model, { x: floatTensor([4, 6], Array(24).fill(1)) });
    expect(trace.ints(noted.shape)).toEqual([4, 2, 3]);
    expect(trace.dims(noted.cube)).toEqual([4, 2, 3]);
    expect(trace.dims(noted.turned)).toEqual([3, 4, 2]);
    expect(trace.dims(noted.wide)).toEqual([4, 12]);
  });

  it("gives a step of a Scan what it sees, along any axis", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const [state, x] = [b.input("state", "float", [2, 4]), b.input("x", "float", [2, 5, 4])];
    const noted: Noted = {};
    const outputs = b.emitMany("Scan", [state, x], 2, {
      num_scan_inputs: attr.int(1),
      scan_input_axes: attr.ints([-2]),
      body: body(b, "step", (inner) => {
        const [before, column] = [inner.input("before", "float", [2, 4]), inner.input("column", "float", [2, 4])];
        noted.column = column;
        noted.after = inner.emit("Add", [before, column]);
        return [noted.after, inner.emit("ReduceSum", [noted.after, inner.ints([1])])];
      }),
    });
    for (const output of outputs) addGraphOutput(model.graph, output);
    const feeds = { state: floatTensor([2, 4], Array(8).fill(0)), x: floatTensor([2, 5, 4], Array(40).fill(1)) };
    const trace = await traced(model, feeds);
    expect(trace.dims(noted.column)).toEqual([2, 4]);
    expect(trace.dims(noted.after)).toEqual([2, 4]);
    expect(outputs.map((output) => trace.dims(output))).toEqual([
      [2, 4],
      [5, 2, 1],
    ]);
  });

  it("shows nothing of a body whose state grows, and no integers that differ from step to step", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    const x = b.input("x", "float", [2, 3]);
    const loop = (
      name: string,
      build: (inner: Builder, number: Value, before: Value) => Value,
      rows: number | string,
    ) => {
      const step = body(b, name, (inner) => {
        const number = inner.input(`${name}/number`, "int64", []);
        const goesOn = inner.emit("Identity", [inner.input(`${name}/goes_on`, "bool", [])]);
        return [goesOn, build(inner, number, inner.input(`${name}/before`, "float", [rows, 3]))];
      });
      addGraphOutput(model.graph, b.emit("Loop", [b.constant(intTensor([3], [])), null, x], { body: step }));
    };
    const noted: Noted = {};
    loop(
      "grows",
      (inner, _, before) => {
        noted.grown = inner.emit("Concat", [before, x], { axis: attr.int(0) });
        return noted.grown;
      },
      "rows",
    );
    loop(
      "counts",
      (inner, number, before) => {
        noted.index = inner.emit("Mod", [number, inner.constant(intTensor([2], []))]);
        noted.row = inner.emit("Gather", [before, noted.index]);
        return inner.emit("Add", [before, noted.row]);
      },
      2,
    );
    const trace = await traced(model, { x: floatTensor([2, 3], Array(6).fill(1)) });
    expect(trace.has(noted.grown)).toBe(false);
    expect(trace.dims(noted.row)).toEqual([3]);
    expect(trace.ints(noted.index)).toBe(null);
  });

  it("costs a model without bodies nothing", async () => {
    const model = new Model(10, 21);
    const b = new Builder(model.graph);
    addGraphOutput(model.graph, b.emit("Relu", [b.input("x", "float", [2])]));
    const main = await inferTrace(model, { x: floatTensor([2], [1, 2]) }, nodeEngine);
    const refuses = { name: "none", load: () => Promise.reject(new Error("nothing should be loaded")) };
    expect(await traceBodies(model, main, {}, refuses)).toBe(main);
  });
});

async function traced(model: Model, feeds: Tensors): Promise<Trace> {
  return traceBodies(model, await inferTrace(model, feeds, nodeEngine), feeds, nodeEngine);
}
