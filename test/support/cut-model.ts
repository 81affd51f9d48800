import { type Random, randomStream } from "../../src/base/random.js";
import { floatTensor, sizeOf } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import { Builder } from "../../src/graph/builder.js";
import { addGraphOutput, createSubgraph } from "../../src/graph/edit.js";
import { type Attribute, Model, type Value } from "../../src/graph/ir.js";

/** Writes networks for tests of cuts: layers with random weights, named as they are asked for. */
export class Net {
  readonly model: Model;
  readonly b: Builder;
  readonly #random: Random;

  constructor(seed: number, graph = new Model(10, 21).graph) {
    this.model = graph.model;
    this.b = new Builder(graph);
    this.#random = randomStream(seed, "net", graph.name);
  }

  /** A body for a node of this network; `build` gives its outputs. */
  body(name: string, build: (inner: Net) => readonly Value[]): Attribute {
    const graph = createSubgraph(this.b.graph, name);
    const outputs = build(new Net(this.#random.integer(1000), graph));
    for (const output of outputs) addGraphOutput(graph, output);
    return attr.graph(graph);
  }

  /** Whether the sum of a value is above 0: which branch is taken then depends on data. */
  isPositive(x: Value): Value {
    return this.b.emit("Greater", [this.b.emit("ReduceSum", [x], { keepdims: attr.int(0) }), this.b.scalar(0)]);
  }

  input(dims: readonly (number | string)[], name = "input"): Value {
    return this.b.input(name, "float", dims);
  }

  output(value: Value): Model {
    addGraphOutput(this.model.graph, value);
    return this.model;
  }

  weight(name: string, dims: readonly number[]): Value {
    const values = Float32Array.from({ length: sizeOf(dims) }, () => this.#random.normal() / Math.sqrt(dims[1] ?? 1));
    return this.b.constant(floatTensor(dims, values), name);
  }

  conv(x: Value, name: string, inputs: number, outputs: number, { kernel = 1, group = 1, bias = true } = {}): Value {
    const w = this.weight(name, [outputs, inputs / group, kernel, kernel]);
    const pad = Math.floor(kernel / 2);
    return this.b.emit("Conv", bias ? [x, w, this.weight(`${name}.bias`, [outputs])] : [x, w], {
      group: attr.int(group),
      pads: attr.ints([pad, pad, pad, pad]),
    });
  }

  linear(x: Value, name: string, inputs: number, outputs: number): Value {
    const product = this.b.emit("MatMul", [x, this.weight(name, [inputs, outputs])]);
    return this.b.emit("Add", [product, this.weight(`${name}.bias`, [outputs])]);
  }

  reshape(x: Value, dims: readonly number[]): Value {
    return this.b.emit("Reshape", [x, this.b.ints(dims)]);
  }

  transpose(x: Value, perm: readonly number[]): Value {
    return this.b.emit("Transpose", [x], { perm: attr.ints(perm) });
  }

  concat(axis: number, ...parts: readonly Value[]): Value {
    return this.b.emit("Concat", parts, { axis: attr.int(axis) });
  }

  split(x: Value, axis: number, sizes: readonly number[]): Value[] {
    return this.b.emitMany("Split", [x, this.b.ints(sizes)], sizes.length, { axis: attr.int(axis) });
  }
}
