import { isFloat } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { intTensor, sizeOf, Tensor, toFloat32, toNumbers } from "../base/tensor.js";

/** The labels of all examples, in memory. */
export interface Labels {
  readonly kind: "class" | "value";
  /** int64 classes or float values, [N, ...]; [N] for one class each. */
  readonly tensor: Tensor;
  /** Largest class + 1; null for values. */
  readonly classCount: number | null;
}

/**
 * Reads an array [N, ...] as labels. Without a choice, integers are classes and floats are values; rows of zeros with a
 * single 1 are classes in either case. An axis of length 1 after the first is dropped ([N, 1] -> [N]) for classes.
 * Throws `bad-data` for negative or fractional classes and for values that are not finite.
 */
export function createLabels(tensor: Tensor, choice: "class" | "value" | undefined, who: string): Labels {
  if (tensor.dims.length === 0) throw new EspalierError("bad-data", "one number is no list of labels", { who });
  const [size, ...rest] = tensor.dims;
  if (choice !== "value") {
    const hot = oneHotClasses(tensor);
    if (hot) return classLabels(hot, [size], who);
    if (choice === "class" || !isFloat(tensor.dtype)) {
      const dims = rest.length === 1 && rest[0] === 1 ? [size] : tensor.dims;
      return classLabels(numbersOf(tensor), dims, who);
    }
  }
  const data = toFloat32(tensor);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new EspalierError("bad-data", `the label of example ${exampleOf(bad, tensor.dims)} is ${data[bad]}`, {
      who,
      hint: "Remove such examples.",
    });
  }
  return { kind: "value", tensor: Tensor.fromArray("float", tensor.dims, data), classCount: null };
}

/**
 * Labels by name: class i is the i-th of `classNames`.
 * Throws `bad-data` for a name that is not among them.
 */
export function createNamedLabels(names: readonly string[], classNames: readonly string[], who: string): Labels {
  const numbers = new Map(classNames.map((name, index) => [name, index]));
  const classes = names.map((name, example) => {
    const index = numbers.get(name);
    if (index !== undefined) return index;
    throw new EspalierError("bad-data", `the label '${name}' of example ${example} is none of the known classes`, {
      who,
      hint: `Known are ${listNames(classNames)}.`,
    });
  });
  return classLabels(classes, [classes.length], who);
}

/**
 * A list of whole numbers below this is read as classes where nothing else tells classes from values. Below 0 too: -1 and
 * 1 are meant as classes, and refused as such, rather than learnt as values without a word.
 */
const plainClassLimit = 10_000;

/** The labels of a source that does not tell integers from floats: int64 when they look like classes, else double. */
export function labelsFromNumbers(numbers: readonly number[]): Tensor {
  const areClasses = numbers.every((value) => Number.isInteger(value) && Math.abs(value) < plainClassLimit);
  if (areClasses) return intTensor(numbers);
  return Tensor.fromArray("double", [numbers.length], Float64Array.from(numbers));
}

/** Throws `bad-data` when a class is beyond the model's or the class list's count. */
export function assertClassesBelow(labels: Labels, count: number, who: string): void {
  if (labels.classCount === null || labels.classCount <= count) return;
  const { array, dims } = labels.tensor;
  const bad = array.findIndex((label: number | bigint) => label >= count);
  throw new EspalierError(
    "bad-data",
    `the label ${array[bad]} of example ${exampleOf(bad, dims)} is out of range: classes are 0 .. ${count - 1}`,
    { who, hint: "Number the classes from 0, and give the labels that belong to this model." },
  );
}

/** The example to which an element of an array [N, ...] belongs. */
function exampleOf(element: number, dims: readonly number[]): number {
  return Math.floor(element / sizeOf(dims.slice(1)));
}

/** Up to ten names, for a message. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 10).join(", ");
  return names.length > 10 ? `${shown} and ${names.length - 10} more` : shown;
}

/** The elements as numbers, without a copy where they are plain. */
function numbersOf(tensor: Tensor): ArrayLike<number | bigint> {
  return tensor.dtype === "float16" ? toFloat32(tensor) : tensor.array;
}

const maxClassCount = 2 ** 31;

function classLabels(source: ArrayLike<number | bigint>, dims: readonly number[], who: string): Labels {
  const data = new BigInt64Array(source.length);
  let largest = 0;
  for (let i = 0; i < data.length; i++) {
    const value = Number(source[i]);
    if (!Number.isInteger(value) || value < 0 || value >= maxClassCount) {
      throw new EspalierError("bad-data", `the label of example ${exampleOf(i, dims)} is ${value}, no class`, {
        who,
        hint: "Classes are whole numbers from 0. If these are values to predict, say so: --labels value.",
      });
    }
    data[i] = BigInt(value);
    if (value > largest) largest = value;
  }
  return { kind: "class", tensor: Tensor.fromArray("int64", dims, data), classCount: largest + 1 };
}

/** The position of the single 1 in each row of an array [N, K], K >= 2, all else being 0; null if it is not like that. */
function oneHotClasses(tensor: Tensor): Uint32Array | null {
  const [size, width, ...rest] = tensor.dims;
  if (rest.length > 0 || !(width >= 2)) return null;
  const values = numbersOf(tensor);
  const classes = new Uint32Array(size);
  for (let row = 0; row < size; row++) {
    let ones = 0;
    for (let column = 0; column < width; column++) {
      const value = Number(values[row * width + column]);
      if (value === 1) {
        classes[row] = column;
        ones++;
      } else if (value !== 0) return null;
    }
    if (ones !== 1) return null;
  }
  return classes;
}

/** The class of every example, or null unless each has exactly one. */
export function classPerExample({ kind, tensor }: Labels): Int32Array | null {
  return kind === "class" && tensor.dims.length === 1 ? Int32Array.from(toNumbers(tensor)) : null;
}
