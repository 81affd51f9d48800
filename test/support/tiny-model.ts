import { floatTensor } from "../../src/base/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { addGraphOutput } from "../../src/graph/edit.js";
import { Model, type Value } from "../../src/graph/ir.js";

/** Four examples for `modelOf`. */
export const x = floatTensor([4, 3], [1, 2, -1, 0, 1, 3, -2, 1, 1, 2, 0, -1]);

/** A model [4, 3] -> [4, 2]. */
export function modelOf(emit: (b: Builder, input: Value) => Value): Model {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  addGraphOutput(model.graph, emit(b, b.input("x", "float", ["N", 3])));
  return model;
}

export const constant = (b: Builder, name: string, dims: readonly number[], values: readonly number[]) =>
  b.constant(floatTensor(dims, values), name);
