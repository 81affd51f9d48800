import type { SparseTensorProto } from "onnx-buf";
import { dtypes, type TypedArray } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { byteLengthOf, sizeOf, Tensor, toNumbers } from "../base/tensor.js";
import { type ExternalReader, readDims, readTensor } from "./tensor-proto.js";

/**
 * A `sparse_initializer` in coordinate form as a dense Tensor. Indices are either linear [count] or coordinates
 * [count, rank]; absent elements are 0. The dense bytes are made when first asked for.
 */
export function readSparseTensor(proto: SparseTensorProto, who: string, external: ExternalReader): Tensor {
  if (!proto.values || !proto.indices)
    throw new EspalierError("bad-model", "a sparse tensor lacks values or indices", { who });
  const dims = readDims(proto.dims, who);
  const values = readTensor(proto.values, who, external);
  const indices = readTensor(proto.indices, who, external);
  const size = sizeOf(dims);
  const count = values.size;
  const { dtype } = values;
  const coordinates = indices.dims.length === 2;
  if (
    values.dims.length !== 1 ||
    dtypes[dtype].bits < 8 ||
    indices.dtype !== "int64" ||
    indices.dims[0] !== count ||
    indices.size !== count * (coordinates ? dims.length : 1)
  ) {
    throw new EspalierError(
      "bad-model",
      `a sparse tensor [${dims}] with values [${values.dims}] and indices [${indices.dims}]`,
      { who },
    );
  }
  const densify = () => {
    const Elements = dtypes[dtype].array;
    const dense = new Elements(byteLengthOf(dtype, dims) / Elements.BYTES_PER_ELEMENT);
    const source: TypedArray = values.array;
    const flat = toNumbers(indices);
    for (let i = 0; i < count; i++) {
      let at = flat[i];
      if (coordinates) {
        at = 0;
        for (let axis = 0; axis < dims.length; axis++) {
          const coordinate = flat[i * dims.length + axis];
          if (coordinate < 0 || coordinate >= dims[axis]) at = -1;
          at = at < 0 ? at : at * dims[axis] + coordinate;
        }
      }
      if (!(at >= 0 && at < size))
        throw new EspalierError("bad-model", `a sparse index lies outside [${dims}]`, { who });
      dense[at] = source[i];
    }
    return new Uint8Array(dense.buffer);
  };
  return new Tensor(dtype, dims, densify, proto);
}
