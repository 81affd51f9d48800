import { isFloat, type TypedArray } from "../../base/dtype.js";
import { Tensor } from "../../base/tensor.js";
import { constants } from "../../graph/constant.js";
import { setConstant } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";

/** Positions that stay of a value, by axis; null for all. */
type Keeps = (value: Value) => readonly (readonly number[] | null)[];

/**
 * Writes the weights of a cut network that has learnt back to where they were in the whole one, so that it can be cut
 * further, under the names and indices of the original. What was removed keeps its old weights.
 * @param whole a model in which each value has a name of its own
 */
export function takeBack(whole: Model, trained: Model, keeps: Keeps = () => []): void {
  const all = new Map([...constants(trained.graph)].map(({ value, tensor }) => [value.name, tensor]));
  for (const { value, tensor } of [...constants(whole.graph)]) {
    const learnt = all.get(value.name);
    if (!learnt || !isFloat(tensor.dtype)) continue;
    const array = tensor.array.slice();
    place(array, tensor.dims, learnt.array, keeps(value));
    setConstant(value, Tensor.fromArray(tensor.dtype, tensor.dims, array));
  }
}

/** Writes `part` to the kept positions of `whole`: the inverse of `takeSlices`. */
function place(
  whole: TypedArray,
  dims: readonly number[],
  part: TypedArray,
  keep: readonly (readonly number[] | null)[],
): void {
  let at = 0;
  const fill = (axis: number, offset: number) => {
    if (axis === dims.length) {
      whole[offset] = part[at++];
      return;
    }
    const positions = keep[axis];
    const count = positions?.length ?? dims[axis];
    for (let i = 0; i < count; i++) fill(axis + 1, offset * dims[axis] + (positions ? positions[i] : i));
  };
  fill(0, 0);
}
