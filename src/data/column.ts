import { type DType, dtypes, isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { fromFloat32, sizeOf, Tensor, toFloat32 } from "../base/tensor.js";
import type { InputSpec } from "./dataset.js";
import { type Fit, fitDims, fittedStrides } from "./fit.js";
import { createScaler, type Normalization } from "./normalize.js";
import { gatherRows } from "./rows.js";
import { copyStrided } from "./strided.js";

/** One input of all examples, in memory, ready to be gathered into batches. */
export interface Column {
  /** Number of examples. */
  readonly size: number;
  /** Per example, without the batch axis. */
  readonly dims: readonly number[];
  /** The values of these examples as a tensor [indices.length, ...dims]. The indices must be valid. */
  gather(indices: ArrayLike<number>): Tensor;
}

/**
 * Makes a column of an array [N, ...]. Its element type becomes the input's; without an input, floats and pixels (uint8)
 * become float and other integers stay. Floats are normalized, integers never.
 * @param who the file and array, for messages
 * Throws `bad-data`: not finite, wrong shape, or values the input's type cannot hold.
 */
export function createColumn(
  tensor: Tensor,
  input: InputSpec | undefined,
  normalization: Normalization,
  who: string,
): Column {
  if (tensor.dims.length === 0) throw new EspalierError("bad-data", "one number is no list of examples", { who });
  const [size, ...rest] = tensor.dims;
  if (tensor.size === 0) throw new EspalierError("bad-data", `an array [${tensor.dims}] holds no examples`, { who });
  const pixels = tensor.dtype === "uint8";
  const fit = fitDims(rest, pixels, input, who);
  const dtype = input?.dtype ?? (isFloat(tensor.dtype) || pixels || tensor.dtype === "bool" ? "float" : tensor.dtype);
  if (isFloat(dtype)) return floatColumn(size, moveChannels(tensor, rest, fit), fit, dtype, pixels, normalization, who);
  return integerColumn(size, moveChannels(tensor, rest, fit), fit, dtype, who);
}

function floatColumn(
  size: number,
  tensor: Tensor,
  { dims }: Fit,
  dtype: DType,
  pixels: boolean,
  normalization: Normalization,
  who: string,
): Column {
  const elements = sizeOf(dims);
  const scale = createScaler(dims, pixels, normalization, who);
  const source = tensor.array instanceof Uint8Array ? tensor.array : toFloat32(tensor);
  if (source instanceof Float32Array) assertFinite(source, elements, who);
  const compute: WriteExample = (example, out, to) => scale(source, example * elements, out, to);
  const writeExample = pixels ? keepResults(size, elements, compute) : compute;
  return {
    size,
    dims,
    gather(indices) {
      const out = new Float32Array(indices.length * elements);
      for (let i = 0; i < indices.length; i++) writeExample(indices[i], out, i * elements);
      return fromFloat32(dtype, [indices.length, ...dims], out);
    },
  };
}

type WriteExample = (example: number, out: Float32Array, to: number) => void;

/** Results of at most this size are kept: Fashion-MNIST as floats takes 188 MB. */
const keptBytes = 2 ** 28;

/** Computes an example once and copies it from then on: 30 us a batch of 64 x 784 against 170. */
function keepResults(size: number, elements: number, compute: WriteExample): WriteExample {
  if (size * elements * Float32Array.BYTES_PER_ELEMENT > keptBytes) return compute;
  // Memory that nobody wrote to yet takes no room, so that a run which reads few examples pays for few.
  const results = new Float32Array(size * elements);
  const isKnown = new Uint8Array(size);
  return (example, out, to) => {
    const start = example * elements;
    if (!isKnown[example]) {
      compute(example, results, start);
      isKnown[example] = 1;
    }
    out.set(results.subarray(start, start + elements), to);
  };
}

function assertFinite(values: Float32Array, elements: number, who: string): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new EspalierError("bad-data", `example ${Math.floor(i / elements)} holds ${values[i]}`, {
      who,
      hint: "Remove such examples, or replace missing values by numbers.",
    });
  }
}

function integerColumn(size: number, tensor: Tensor, { dims }: Fit, dtype: DType, who: string): Column {
  const { bytes } = tensor.dtype === dtype ? tensor : toIntegers(tensor, dtype, sizeOf(dims), who);
  const stored = new Tensor(dtype, [size, ...dims], () => bytes);
  return { size, dims, gather: (indices) => gatherRows(stored, indices) };
}

/** The values as integers of type `dtype`, every one of which it must hold exactly. */
function toIntegers(tensor: Tensor, dtype: DType, elements: number, who: string): Tensor {
  const { bits, array: Elements } = dtypes[dtype];
  if (bits < 8 || dtype === "string" || dtype.startsWith("float8") || dtype.startsWith("complex")) {
    throw new EspalierError("unsupported", `the model takes ${dtype} inputs, which no dataset can give`, { who });
  }
  const source = tensor.dtype === "float16" ? toFloat32(tensor) : tensor.array;
  const out = new Elements(source.length);
  for (let i = 0; i < source.length; i++) {
    const value = Number(source[i]);
    let fits = Number.isInteger(value) && (dtype !== "bool" || value === 0 || value === 1);
    if (fits) {
      if (out instanceof BigInt64Array || out instanceof BigUint64Array) out[i] = BigInt(value);
      else out[i] = value;
      fits = Number(out[i]) === value;
    }
    if (!fits) {
      throw new EspalierError(
        "bad-data",
        `the model takes ${dtype}, but example ${Math.floor(i / elements)} holds ${value}`,
        {
          who,
          hint: "Give the inputs that the model was made for.",
        },
      );
    }
  }
  return Tensor.fromArray(dtype, tensor.dims, out);
}

function moveChannels(tensor: Tensor, have: readonly number[], { dims, move }: Fit): Tensor {
  const strides = fittedStrides(have, move);
  if (!strides) return tensor;
  const { bytes, dtype } = tensor;
  const [size] = tensor.dims;
  const moved = copyStrided(bytes, dtypes[dtype].bits / 8, [size, ...dims], [sizeOf(dims), ...strides]);
  return new Tensor(dtype, [size, ...dims], () => moved);
}
