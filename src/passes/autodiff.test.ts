import { describe, expect, it } from "vitest";
import type { DType } from "../base/dtype.js";
import { intTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, addNode, addValue, createSubgraph } from "../graph/edit.js";
import { Model, type Value } from "../graph/ir.js";
import type { Trace } from "../graph/trace.js";
import { emitGradients } from "./autodiff.js";

/** A trace in which every value is a float vector of 3, but for those listed. */
function trace(others: ReadonlyMap<Value, DType | null> = new Map()): Trace {
  return {
    has: (value) => others.get(value) !== null,
    dims: () => [3],
    dtype: (value) => others.get(value) ?? "float",
    ints: () => null,
  };
}

function setUp() {
  const builder = new Builder(new Model(10, 21).graph);
  const x = builder.input("x", "float", [3]);
  const seed = builder.input("dy", "float", [3]);
  const gradientOf = (y: Value, parameters: Value[] = [x], seen = trace()) =>
    emitGradients(builder.graph, new Map([[y, seed]]), parameters, seen);
  return { builder, graph: builder.graph, x, seed, gradientOf };
}

describe("emitGradients", () => {
  it("adds up what arrives over several paths, once", () => {
    const { builder, x, seed, gradientOf } = setUp();
    const a = builder.emit("Identity", [x]);
    const b = builder.emit("Identity", [x]);
    const sum = gradientOf(builder.emit("Add", [builder.emit("Add", [a, b]), x])).get(x)?.producer;
    expect(sum?.type).toBe("Sum");
    expect(sum?.inputs).toEqual([seed, seed, seed]);
  });

  it("gives an intermediate its gradient, and does no work beyond it", () => {
    const { builder, graph, x, seed, gradientOf } = setUp();
    const h = builder.emit("Exp", [x]);
    const y = builder.emit("Identity", [h]);
    const before = graph.nodes.size;
    expect(gradientOf(y, [h]).get(h)).toBe(seed);
    expect(graph.nodes.size).toBe(before);
  });

  it("leaves out parameters that no path connects to a seed, or only one that stops", () => {
    const { builder, x, gradientOf } = setUp();
    const idle = builder.input("idle", "float", [3]);
    const stops = builder.emit("Floor", [x]);
    expect(gradientOf(stops, [x, idle]).size).toBe(0);
  });

  it("ends at whole numbers", () => {
    const { builder, x, gradientOf } = setUp();
    const whole = builder.emit("Cast", [x], { to: attr.int(7) });
    const y = builder.emit("Cast", [whole], { to: attr.int(1) });
    expect(gradientOf(y, [x], trace(new Map([[whole, "int64"]]))).size).toBe(0);
  });

  it("refuses an operator that it does not know, by name", () => {
    const { builder, x, gradientOf } = setUp();
    const y = builder.emit("NoSuchOperator", [x], {}, "strange");
    expect(() => gradientOf(y)).toThrow(/^NoSuchOperator 'strange': no gradient passes here/);
  });

  it("passes by an unknown operator that no parameter reaches", () => {
    const { builder, x, seed, gradientOf } = setUp();
    const other = builder.emit("NoSuchOperator", [builder.input("other", "float", [3])]);
    expect(gradientOf(builder.emit("Add", [x, other])).get(x)).toBe(seed);
  });

  it("refuses a body that captures a value on the path, instead of losing its gradient", () => {
    const { builder, graph, x, gradientOf } = setUp();
    const h = builder.emit("Exp", [x]);
    const body = createSubgraph(graph, "body");
    const inner = addValue(body, "inner");
    addNode(body, "Identity", { inputs: [h], outputs: [inner] });
    addGraphOutput(body, inner);
    const condition = builder.constant(Tensor.fromArray("bool", [], Uint8Array.of(1)));
    const y = builder.emit(
      "If",
      [condition],
      { then_branch: attr.graph(body), else_branch: attr.graph(body) },
      "branch",
    );
    expect(() => gradientOf(y)).toThrow(/^If 'branch': no gradient passes here/);
  });

  it("refuses a sequence on the path, which a trace does not show", () => {
    const { builder, x, gradientOf } = setUp();
    const sequence = builder.emit("SequenceConstruct", [x], {}, "list");
    const y = builder.emit("SequenceAt", [sequence, builder.constant(intTensor([0], []))], {}, "item");
    expect(() => gradientOf(y, [x], trace(new Map([[sequence, null]])))).toThrow(/^SequenceAt 'item'/);
  });
});
