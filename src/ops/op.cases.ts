import { type Random, randomStream } from "../base/random.js";
import { floatTensor, fromNumbers, intTensor, sizeOf, Tensor } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { Model, type Value } from "../graph/ir.js";

/** A small graph around one operator, for the contract suites. */
export interface OpCase {
  /** The operator under test, with its domain unless it is a standard one. */
  op: string;
  /** What is special about this case; unique within the operator. */
  name: string;
  /** The first operator set that has it; absent, the one that espalier's own graphs use. */
  opset?: number;
  /** Builds the graph; the returned values become its outputs. */
  build(c: CaseBuilder): Value | readonly Value[];
}

/** A builder that also makes up example data for the inputs it declares. */
export class CaseBuilder extends Builder {
  /** Examples by input name. */
  readonly feeds: Record<string, Tensor> = {};
  /** The float inputs that the operator must have a right gradient for. */
  readonly differentiable: Value[] = [];
  readonly #random: Random;

  constructor(model: Model, random: Random) {
    super(model.graph);
    this.#random = random;
  }

  /** A float input, uniform in [low, high]. Values come no closer to any of `kinks` than 0.1. */
  float(dims: readonly number[], { low = -1, high = 1, kinks = [] as readonly number[] } = {}): Value {
    return this.#feed(dims, () => {
      for (;;) {
        const value = low + (high - low) * this.#random.uniform();
        if (kinks.every((kink) => Math.abs(value - kink) > 0.1)) return value;
      }
    });
  }

  /** A float input whose elements all differ by at least 0.2, in random order: for maxima. */
  distinct(dims: readonly number[]): Value {
    const size = sizeOf(dims);
    const order = this.#random.permutation(size);
    let next = 0;
    return this.#feed(dims, () => (order[next++] - size / 2) * 0.2 + 0.05);
  }

  /** A constant that the operator reads as data, not differentiated. */
  fixed(dims: readonly number[], values: readonly number[]): Value {
    return this.constant(floatTensor(dims, values));
  }

  /** An input that the operator reads as data, not differentiated; unlike a constant, onnxruntime cannot fold it. */
  fed(dims: readonly number[], values: readonly number[]): Value {
    const value = this.input(`fed${Object.keys(this.feeds).length}`, "float", dims);
    this.feeds[value.name] = floatTensor(dims, values);
    return value;
  }

  int64(values: readonly number[], dims?: readonly number[]): Value {
    return this.constant(intTensor(values, dims));
  }

  int32(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.constant(fromNumbers("int32", dims, values));
  }

  uint8(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.constant(fromNumbers("uint8", dims, values));
  }

  int8(values: readonly number[], dims: readonly number[] = [values.length]): Value {
    return this.constant(fromNumbers("int8", dims, values));
  }

  bool(values: readonly boolean[], dims: readonly number[] = [values.length]): Value {
    return this.constant(Tensor.fromArray("bool", dims, Uint8Array.from(values, Number)));
  }

  #feed(dims: readonly number[], draw: () => number): Value {
    const value = this.input(`input${this.differentiable.length}`, "float", dims);
    this.feeds[value.name] = floatTensor(dims, Float32Array.from({ length: sizeOf(dims) }, draw));
    this.differentiable.push(value);
    return value;
  }
}

/** The graph of a case, with examples for its inputs. `opset` is what espalier's own graphs use. */
export function buildCase(
  testCase: OpCase,
  seed: number,
  opset = testCase.opset ?? 21,
): { model: Model; builder: CaseBuilder; outputs: Value[] } {
  const model = new Model(10, opset);
  const builder = new CaseBuilder(model, randomStream(seed, testCase.op, testCase.name));
  const outputs = [testCase.build(builder)].flat();
  return { model, builder, outputs };
}
