import { type DType, dtypes } from "../base/dtype.js";
import { EspalierError } from "../base/errors.js";
import { sizeOf, Tensor } from "../base/tensor.js";
import { nativeOrder } from "./byte-order.js";
import { copyStrided } from "./strided.js";

const elementTypes: ReadonlyMap<string, DType> = new Map([
  ["b1", "bool"],
  ["i1", "int8"],
  ["i2", "int16"],
  ["i4", "int32"],
  ["i8", "int64"],
  ["u1", "uint8"],
  ["u2", "uint16"],
  ["u4", "uint32"],
  ["u8", "uint64"],
  ["f2", "float16"],
  ["f4", "float"],
  ["f8", "double"],
]);

export function isNpy(bytes: Uint8Array): boolean {
  return bytes.length >= 10 && bytes[0] === 0x93 && Buffer.from(bytes.subarray(1, 6)).toString("latin1") === "NUMPY";
}

/**
 * The array in an NPY file, format versions 1 to 3 (NEP 1, numpy.lib.format): magic, version, header length, a header
 * like `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`, then the elements.
 * Throws `bad-data` unless the file holds exactly what its header says, `unsupported` for elements that are no numbers.
 */
export function parseNpy(bytes: Uint8Array, who: string): Tensor {
  if (!isNpy(bytes)) throw new EspalierError("bad-data", "this is no NPY file", { who });
  const { descr, fortranOrder, dims, dataStart } = parseHeader(bytes, who);
  const match = /^([<>|=])([biuf]\d)$/.exec(descr);
  const dtype = match ? elementTypes.get(match[2]) : undefined;
  if (!match || !dtype) {
    throw new EspalierError("unsupported", `elements of numpy type ${descr} are not plain numbers`, {
      who,
      hint: "Save bool, integers or floats of at most 8 bytes: array.astype('float32'), and classes as integers.",
    });
  }
  const elementBytes = dtypes[dtype].bits / 8;
  const expected = dims.reduce((product, dim) => product * dim, elementBytes);
  const actual = bytes.length - dataStart;
  if (actual !== expected) {
    throw new EspalierError("bad-data", `a numpy array ${descr} [${dims}] takes ${expected} bytes, got ${actual}`, {
      who,
      hint: actual < expected ? "It is truncated: save or fetch it again." : "It is corrupt: save or fetch it again.",
    });
  }
  const load = nativeOrder(bytes.subarray(dataStart), elementBytes, match[1] === ">" ? "big" : "little");
  if (!fortranOrder || dims.length < 2) return new Tensor(dtype, dims, load);
  const strides = dims.map((_, axis) => sizeOf(dims.slice(0, axis)));
  const rowMajor = copyStrided(load(), elementBytes, dims, strides);
  return new Tensor(dtype, dims, () => rowMajor);
}

interface Header {
  descr: string;
  fortranOrder: boolean;
  dims: number[];
  dataStart: number;
}

function parseHeader(bytes: Uint8Array, who: string): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = bytes[6];
  const textStart = version === 1 ? 10 : 12;
  const length = version === 1 ? view.getUint16(8, true) : bytes.length >= 12 ? view.getUint32(8, true) : Infinity;
  const dataStart = textStart + length;
  if (version < 1 || version > 3) throw new EspalierError("unsupported", `NPY format version ${version}`, { who });
  if (dataStart > bytes.length) throw new EspalierError("bad-data", "the file ends within its header", { who });
  // numpy itself refuses headers beyond 10,000 characters.
  const text = Buffer.from(bytes.subarray(textStart, Math.min(dataStart, textStart + 10_000))).toString("latin1");
  const plain = /'descr'\s*:\s*'([^']*)'/.exec(text);
  const order = /'fortran_order'\s*:\s*(True|False)/.exec(text);
  const shape = /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(text);
  if (!plain && /'descr'\s*:\s*\[/.test(text)) {
    throw new EspalierError("unsupported", "a structured numpy array", {
      who,
      hint: "Save each field as an array of its own with numpy.savez.",
    });
  }
  if (!plain || !order || !shape) {
    throw new EspalierError("bad-data", "the NPY header lacks descr, fortran_order or shape", { who });
  }
  const dims = shape[1].split(",").flatMap((part) => (part.trim() === "" ? [] : [Number.parseInt(part, 10)]));
  return { descr: plain[1], fortranOrder: order[1] === "True", dims, dataStart };
}
