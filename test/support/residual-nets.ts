import { floatTensor } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import type { Value } from "../../src/graph/ir.js";
import { Net } from "./cut-model.js";

/** A network of residual layers, of which some are not built. Weights stay the same, whatever is left out. */
export class ResidualNet extends Net {
  readonly #without: ReadonlySet<string>;

  constructor(seed: number, without: Iterable<string> = []) {
    super(seed);
    this.#without = new Set(without);
  }

  /** y = x + f(x), or x where the layer is left out. The weights are drawn either way. */
  residual(name: string, x: Value, f: (x: Value) => Value, add = (x: Value, branch: Value) => [x, branch]): Value {
    const branch = f(x);
    if (this.#without.has(name)) return x;
    return this.b.emit("Add", add(x, branch), {}, name);
  }

  norm(x: Value, name: string, size: number): Value {
    const inputs = [x, this.weight(`${name}.scale`, [size]), this.weight(`${name}.bias`, [size])];
    return this.b.emit("LayerNormalization", inputs, { axis: attr.int(-1) });
  }

  /** Two heads over [N, positions, size]; queries from x, keys and values from `source`. */
  attention(x: Value, name: string, size: number, mask: Value | null = null, source: Value = x): Value {
    const heads = (value: Value) => this.transpose(this.reshape(value, [0, 0, 2, size / 2]), [0, 2, 1, 3]);
    const q = heads(this.linear(x, `${name}.q`, size, size));
    const [k, v] = ["k", "v"].map((part) => heads(this.linear(source, `${name}.${part}`, size, size)));
    const scores = this.b.emit("MatMul", [q, this.transpose(k, [0, 1, 3, 2])]);
    const weights = this.b.emit("Softmax", [mask ? this.b.emit("Add", [scores, mask]) : scores]);
    const mixed = this.transpose(this.b.emit("MatMul", [weights, v]), [0, 2, 1, 3]);
    return this.linear(this.reshape(mixed, [0, 0, size]), `${name}.o`, size, size);
  }

  /** With GELU by tanh, which has a sum h + 0.044715 h^3 in it. */
  feedForward(x: Value, name: string, size: number): Value {
    const h = this.linear(x, `${name}.up`, size, 2 * size);
    const cube = this.b.emit("Mul", [this.b.emit("Mul", [h, h]), h]);
    const bent = this.b.emit("Add", [h, this.b.emit("Mul", [cube, this.b.scalar(0.044715)])]);
    const gate = this.b.emit("Tanh", [this.b.emit("Mul", [bent, this.b.scalar(0.7978846)])]);
    const half = this.b.emit("Mul", [h, this.b.emit("Add", [gate, this.b.scalar(1)])]);
    return this.linear(half, `${name}.down`, 2 * size, size);
  }

  /** A constant vector that scales each channel. */
  layerScale(x: Value, size: number): Value {
    return this.b.emit("Mul", [x, this.b.constant(floatTensor([size], new Float32Array(size).fill(0.5)), "gamma")]);
  }
}
