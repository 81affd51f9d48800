import { floatTensor, fromNumbers, type Tensor, toFloat32 } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { constantOf } from "../graph/constant.js";
import type { Node, Value } from "../graph/ir.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { defineOp, expansion, microsoft } from "./define.js";
import { productMacs } from "./linear.js";
import { sizeAfter } from "./repair.js";

// MatMulNBits: A [.., K] times weights of few bits, quantized in blocks along K. B [N, blocks, bytes of a block], the
// first element in the lowest bits; scales and zero points one for each row and block, as a list or as [N, blocks].

/** Whole blocks of K may leave, as long as no two of them share a byte of zero points, and K is not shuffled. */
function whyBlocksStay(c: CouplingContext): string | null {
  const blocks = c.input(1)[1].size;
  const zeros = c.input(3).reduce((size, axis) => size * axis.size, 1);
  if (c.has(4)) return "reads its rows in an order of their own";
  if (c.input(0).at(-1)?.size !== blocks * c.node.int("block_size", 1)) return "has a last block that is smaller";
  if (c.has(3) && zeros !== blocks * c.input(1)[0].size) return "keeps zero points of several blocks in one byte";
  return null;
}

const coupling: Coupling = {
  links(c) {
    const [a, b, y] = [c.input(0), c.input(1), c.output(0)];
    const [rows, blocks, bytes] = b;
    const k = a[a.length - 1];
    c.sameAll(a.slice(0, -1), y.slice(0, -1));
    c.same(rows, y[y.length - 1]);
    c.unit(rows, "neuron");
    c.withoutUnits([bytes]);
    c.each(5, rows);
    c.product(c.input(2), [rows, blocks]);
    const reason = whyBlocksStay(c);
    if (reason === null) {
      const block = c.own(c.node.int("block_size", 1), "a block");
      c.product([k], [blocks, block]);
      c.bound(block, "has one scale for all of it");
      c.sums(0, a.length - 1);
    } else c.boundAll([k, blocks], reason);
    const zeros = c.input(3);
    if (zeros.length > 0) {
      const count = zeros.reduce((size, axis) => size * axis.size, 1) / rows.size;
      const packed = count === blocks.size ? blocks : c.own(count, "zero points of a row");
      if (reason !== null) c.bound(packed, reason);
      c.product(zeros, [rows, packed]);
    }
    c.data(4);
  },
  repair(r) {
    const [k, n] = [r.input(0).at(-1), r.output(0).at(-1)];
    if (k) r.setInt("K", sizeAfter(k));
    if (n) r.setInt("N", sizeAfter(n));
  },
};

/** Whole numbers of a few bits each, the first in the lowest ones; each row starts with a byte of its own. */
function unpacked({ array, size }: Tensor, bits: number, rows: number): number[] {
  const [perByte, perRow] = [8 / bits, size / rows];
  return Array.from({ length: size * perByte }, (_, i) => {
    const row = Math.floor(i / (perRow * perByte));
    const at = i % (perRow * perByte);
    return (Number(array[row * perRow + Math.floor(at / perByte)]) >> ((at % perByte) * bits)) & (2 ** bits - 1);
  });
}

/** [N, blocks, elements of a block]: (q - zero point) * scale. */
function dequantized(node: Node, input: number): Tensor | null {
  const [b, scales] = [1, 2].map((index) => constantOf(node.inputs[index] ?? null));
  if (input !== 1 || !b || !scales) return null;
  const bits = node.int("bits", 4);
  const [rows, blocks, bytes] = b.dims;
  const block = (bytes * 8) / bits;
  const zeros = constantOf(node.inputs[3] ?? null);
  const packed = zeros?.dtype === "uint8";
  const zeroPoints = zeros && (packed ? unpacked(zeros, bits, rows) : Array.from(toFloat32(zeros)));
  const perRow = (zeroPoints?.length ?? 0) / rows;
  const each = toFloat32(scales);
  const values = Float32Array.from(unpacked(b, bits, rows), (q, i) => {
    const [row, at] = [Math.floor(i / (blocks * block)), Math.floor(i / block) % blocks];
    return (q - (zeroPoints?.[row * perRow + at] ?? 2 ** (bits - 1))) * each[row * blocks + at];
  });
  return floatTensor([rows, blocks, block], values);
}

/** The weights as numbers, (q - zero point) * scale of each block, in a MatMul; scales and zero points that are floats too. */
const numbersExpansion = expansion((c) => {
  const { node } = c;
  const [b, zeros] = [c.input(1), c.optional(3)].map(constantOf);
  const [k, bits] = [node.int("K", 0), node.int("bits", 4)];
  if (!b) throw c.refusal("its weights are computed");
  if (c.optional(4)) throw c.refusal("its columns have their blocks in an order of their own");
  const [rows, blocks, bytes] = b.dims;
  const block = (bytes * 8) / bits;
  const each = [rows, blocks, 1];
  const numbers = (values: readonly number[], dims: readonly number[]) =>
    c.constant(fromNumbers(c.floatType, dims, values));
  const zeroPoints = (): Value => {
    const value = c.optional(3);
    if (!value) return c.scalar(2 ** (bits - 1));
    if (c.dtype(value) !== "uint8") return c.reshape(value, each);
    if (!zeros) throw c.refusal("its zero points are computed");
    const all = unpacked(zeros, bits, rows);
    const perRow = all.length / rows;
    return numbers(
      all.filter((_, i) => i % perRow < blocks),
      each,
    );
  };
  const steps = c.sub(numbers(unpacked(b, bits, rows), [rows, blocks, block]), zeroPoints());
  const flat = c.reshape(c.mul(steps, c.reshape(c.input(2), each)), [rows, blocks * block]);
  const whole = blocks * block === k ? flat : c.emit("Slice", [flat, c.list([0]), c.list([k]), c.list([1])]);
  const y = c.emit("MatMul", [c.input(0), c.emit("Transpose", [whole], { perm: attr.ints([1, 0]) })]);
  const bias = c.optional(5);
  return [bias ? c.add(y, bias) : y];
});

export const nbitsOps = [
  defineOp({
    type: "MatMulNBits",
    domain: microsoft,
    gradient: numbersExpansion,
    coupling,
    weights: () => [{ input: 1, outputAxis: 0, inputAxis: 1 }],
    learnable: [5],
    dequantized,
    macs: (c) => productMacs(c, 0),
  }),
];
