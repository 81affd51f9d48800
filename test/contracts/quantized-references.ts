import { floatTensor, type Tensor, toFloat32, toNumbers } from "../../src/base/tensor.js";
import type { Node } from "../../src/graph/ir.js";
import { attention } from "./attention-references.js";
import type { Counter, Reference } from "./grid.js";

// Operators on integers, computed on the numbers that these stand for.

/** (q - zero point) * scale, each of them one number or one for each position of the axis. */
function meant(q: Tensor, scale?: Tensor, zero?: Tensor, axis = q.dims.length - 1): Tensor {
  const inner = q.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const at = (tensor: Tensor | undefined, i: number, absent: number) => {
    const numbers = tensor ? toNumbers(tensor) : [absent];
    return numbers[numbers.length === 1 ? 0 : Math.floor(i / inner) % q.dims[axis]];
  };
  return floatTensor(
    q.dims,
    toNumbers(q).map((x, i) => (x - at(zero, i, 0)) * at(scale, i, 1)),
  );
}

/** To uint8, ties to the even one. */
function rounded(numbers: readonly number[], scale: Tensor, zero: Tensor): number[] {
  return numbers.map((x) => {
    const exact = x / toFloat32(scale)[0];
    const floor = Math.floor(exact);
    const nearest = exact - floor === 0.5 ? floor + (floor % 2) : Math.round(exact);
    return Math.max(0, Math.min(255, nearest + toNumbers(zero)[0]));
  });
}

const plus = (numbers: readonly number[], bias: Tensor | undefined) =>
  numbers.map((x, i) => x + (bias ? toNumbers(bias)[i % bias.size] : 0));

/** uint8 over the range of all elements and 0, and back. */
function throughRange(tensor: Tensor): Tensor {
  const numbers = toNumbers(tensor);
  const [low, high] = [Math.min(0, ...numbers), Math.max(0, ...numbers)];
  const scale = (high - low) / 255;
  const zero = Math.round(-low / scale);
  return floatTensor(
    tensor.dims,
    numbers.map((x) => (Math.max(0, Math.min(255, Math.round(x / scale) + zero)) - zero) * scale),
  );
}

/** @param floats the references of the operators on floats */
export function quantizedReferences(floats: Readonly<Record<string, Reference>>): Record<string, Reference> {
  type Arguments = [node: Node, dims: readonly number[], count: Counter];
  const conv = (x: Tensor, w: Tensor, [node, dims, count]: Arguments) => floats.Conv(node, [x, w], dims, count, []);
  const matMul = (a: Tensor, b: Tensor, [node, dims, count]: Arguments) => floats.MatMul(node, [a, b], dims, count, []);
  return {
    ConvInteger: (node, [x, w, zeroX, zeroW], dims, count) =>
      conv(meant(x, undefined, zeroX), meant(w, undefined, zeroW, 0), [node, dims, count]),

    QLinearConv(node, [x, scaleX, zeroX, w, scaleW, zeroW, scaleY, zeroY, bias], dims, count) {
      const sums = conv(meant(x, scaleX, zeroX), meant(w, scaleW, zeroW, 0), [node, dims, count]);
      const plane = dims.slice(2).reduce((a, b) => a * b, 1);
      const [each, shift] = [toFloat32(scaleW), toNumbers(bias)];
      const shifted = sums.map((sum, i) => {
        const channel = Math.floor(i / plane) % dims[1];
        return sum + shift[channel] * toFloat32(scaleX)[0] * each[channel % each.length];
      });
      return rounded(shifted, scaleY, zeroY);
    },

    MatMulInteger: (node, [a, b, zeroA, zeroB], dims, count) =>
      matMul(meant(a, undefined, zeroA), meant(b, undefined, zeroB), [node, dims, count]),

    QLinearMatMul: (node, [a, scaleA, zeroA, b, scaleB, zeroB, scaleY, zeroY], dims, count) =>
      rounded(matMul(meant(a, scaleA, zeroA), meant(b, scaleB, zeroB), [node, dims, count]), scaleY, zeroY),

    "com.microsoft.MatMulIntegerToFloat": (node, [a, b, scaleA, scaleB, zeroA, zeroB, bias], dims, count) =>
      plus(matMul(meant(a, scaleA, zeroA), meant(b, scaleB, zeroB), [node, dims, count]), bias),

    "com.microsoft.QGemm"(node, [a, scaleA, zeroA, b, scaleB, zeroB, bias, scaleY, zeroY], dims, count) {
      const columns = meant(b, scaleB, zeroB, node.int("transB", 0) ? 0 : 1);
      const each = floatTensor(
        scaleB.dims,
        toNumbers(scaleB).map((scale) => scale * toFloat32(scaleA)[0]),
      );
      const sums = floats.Gemm(node, [meant(a, scaleA, zeroA), columns], dims, count, []);
      return rounded(plus(sums, meant(bias, each)), scaleY, zeroY);
    },

    /** Element k of row n is in the lowest bits of its byte, or the highest; so are zero points, in bytes of each row. */
    "com.microsoft.MatMulNBits"(node, [a], dims, count, [, b, scales, zeros, , bias]) {
      if (!b || !scales) return [];
      const [bits, k] = [node.int("bits", 4), node.int("K", 0)];
      const [rows, blocks] = b.dims;
      const read = (tensor: Tensor, row: number, at: number) => {
        const byte = toNumbers(tensor)[(row * tensor.size) / rows + Math.floor((at * bits) / 8)];
        return Math.floor(byte / 2 ** ((at * bits) % 8)) % 2 ** bits;
      };
      const columns = Array.from({ length: k * rows }, (_, i) => {
        const [at, row] = [Math.floor(i / rows), i % rows];
        const which = Math.floor(at / node.int("block_size", 1));
        const known =
          zeros && (zeros.dtype === "uint8" ? read(zeros, row, which) : toFloat32(zeros)[row * blocks + which]);
        return (read(b, row, at) - (known ?? 2 ** (bits - 1))) * toFloat32(scales)[row * blocks + which];
      });
      return plus(matMul(a, floatTensor([k, rows], columns), [node, dims, count]), bias);
    },

    "com.microsoft.DynamicQuantizeMatMul": (node, [a, b, scaleB, zeroB, bias], dims, count) =>
      plus(matMul(throughRange(a), meant(b, scaleB, zeroB), [node, dims, count]), bias),

    "com.microsoft.QAttention": (node, [x, w, bias, scaleX, scaleW, mask, zeroX, zeroW], _, count) =>
      attention(node, [meant(x, scaleX, zeroX), meant(w, scaleW, zeroW), bias, mask], count),
  };
}
