import { sizeOf } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const bytes = (dims: readonly number[]) => Array.from({ length: sizeOf(dims) }, (_, i) => (i * 37 + 11) % 256);

/** A [2, 3, K], N 6, blocks of 16. */
function nbits(name: string, k: number, bits: number, zeroPoints: "none" | "packed" | "floats", bias = false): OpCase {
  const [n, block] = [6, 16];
  const blocks = Math.ceil(k / block);
  return {
    op: "com.microsoft.MatMulNBits",
    name,
    build: (c) => {
      const weights = [n, blocks, (block * bits) / 8];
      const packed = [n * Math.ceil((blocks * bits) / 8)];
      const inputs = [
        c.float([2, 3, k]),
        c.uint8(bytes(weights), weights),
        c.float([n * blocks], { low: 0.01, high: 0.02 }),
        zeroPoints === "packed" ? c.uint8(bytes(packed), packed) : null,
        null,
        bias ? c.float([n]) : null,
      ];
      if (zeroPoints === "floats") inputs[3] = c.float([n * blocks], { low: 4, high: 9 });
      return c.emit("com.microsoft.MatMulNBits", inputs.slice(0, bias ? 6 : zeroPoints === "none" ? 3 : 4), {
        K: attr.int(k),
        N: attr.int(n),
        bits: attr.int(bits),
        block_size: attr.int(block),
      });
    },
  };
}

export const nbitsCases: readonly OpCase[] = [
  nbits("4 bits", 64, 4, "none"),
  nbits("4 bits, zero points in bytes, a bias", 64, 4, "packed", true),
  nbits("4 bits, zero points as numbers", 64, 4, "floats"),
  nbits("4 bits, a last block that is smaller", 40, 4, "none"),
  nbits("8 bits, a zero point in each byte", 64, 8, "packed"),
];
