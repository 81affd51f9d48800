import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

/** Integers with what they stand for. */
interface Integers {
  q: Value;
  scale: Value;
  zero: Value;
}

const one = (c: CaseBuilder, scale: number, zero: Value): Omit<Integers, "q"> => ({
  scale: c.fixed([], [scale]),
  zero,
});

const quantized = (c: CaseBuilder, dims: readonly number[], how: Omit<Integers, "q">, axis = 1): Integers => ({
  ...how,
  q: c.emit("QuantizeLinear", [c.float(dims), how.scale, how.zero], { axis: attr.int(axis) }),
});

/** uint8 with the zero point 90, as activations are stored. */
const unsigned = (c: CaseBuilder, dims: readonly number[]) => quantized(c, dims, one(c, 0.02, c.uint8([90], [])));

/** int8 with a scale and a zero point for each position of an axis, as kernels are stored. */
const perPosition = (c: CaseBuilder, dims: readonly number[], axis: number) => {
  const positions = Array.from({ length: dims[axis] }, (_, i) => i);
  return quantized(
    c,
    dims,
    {
      scale: c.fixed(
        [dims[axis]],
        positions.map((i) => 0.01 + 0.002 * i),
      ),
      zero: c.int8(positions.map((i) => i - 2)),
    },
    axis,
  );
};

const output = (c: CaseBuilder) => one(c, 0.05, c.uint8([30], []));

/** Numbers again, so that float layers can follow. */
const back = (c: CaseBuilder, q: Value, { scale, zero }: Omit<Integers, "q">) =>
  c.emit("DequantizeLinear", [q, scale, zero]);
const toFloat = (c: CaseBuilder, q: Value) => c.emit("Cast", [q], { to: attr.int(1) });

const of = (op: string, name: string, build: OpCase["build"]): OpCase => ({ op, name, build });

const there = (op: "QuantizeLinear" | "DequantizeLinear", domain: string): readonly OpCase[] => [
  of(`${domain}${op}`, "one scale", (c) => {
    const how = one(c, 0.02, c.uint8([90], []));
    const attributes = {};
    const q = c.emit(`${domain}QuantizeLinear`, [c.float([2, 3, 4]), how.scale, how.zero], attributes);
    return c.emit(`${domain}DequantizeLinear`, [q, how.scale, how.zero], attributes);
  }),
  of(`${domain}${op}`, "a scale and a zero point for each position of an axis", (c) => {
    const { q, scale, zero } = perPosition(c, [2, 3, 4], 2);
    return c.emit(`${domain}DequantizeLinear`, [q, scale, zero], { axis: attr.int(2) });
  }),
];

const blocks = of("DequantizeLinear", "a scale for each two rows", (c) => {
  const scale = c.fixed([3, 2], [0.01, 0.02, 0.015, 0.02, 0.03, 0.02]);
  const zero = c.uint8([90, 80, 100, 90, 70, 90], [3, 2]);
  const attributes = { axis: attr.int(0), block_size: attr.int(2) };
  const q = c.emit("QuantizeLinear", [c.float([6, 2]), scale, zero], attributes);
  return c.emit("DequantizeLinear", [q, scale, zero], attributes);
});

const convolutions: readonly OpCase[] = [1, 2].flatMap((group) => {
  const attributes = { group: attr.int(group), pads: attr.ints([1, 1, 1, 1]) };
  const kernels = [6, 4 / group, 3, 3];
  return [
    of("ConvInteger", `${group} groups`, (c) => {
      const x = unsigned(c, [2, 4, 5, 5]);
      const w = quantized(c, kernels, one(c, 0.01, c.uint8([100], [])));
      return toFloat(c, c.emit("ConvInteger", [x.q, w.q, x.zero, w.zero], attributes));
    }),
    of("QLinearConv", `${group} groups, a bias`, (c) => {
      const x = unsigned(c, [2, 4, 5, 5]);
      const w = perPosition(c, kernels, 0);
      const zero = c.int8([0, 0, 0, 0, 0, 0]);
      const y = output(c);
      const bias = c.int32([100, -200, 300, 0, 50, -60]);
      return back(
        c,
        c.emit("QLinearConv", [x.q, x.scale, x.zero, w.q, w.scale, zero, y.scale, y.zero, bias], attributes),
        y,
      );
    }),
  ];
});

const products: readonly OpCase[] = [
  of("MatMulInteger", "a zero point for each column", (c) => {
    const [a, b] = [unsigned(c, [3, 4]), perPosition(c, [4, 5], 1)];
    return toFloat(c, c.emit("MatMulInteger", [a.q, b.q, a.zero, b.zero]));
  }),
  of("MatMulInteger", "batches, no zero points", (c) => {
    const [a, b] = [unsigned(c, [2, 3, 4]), unsigned(c, [2, 4, 5])];
    return toFloat(c, c.emit("MatMulInteger", [a.q, b.q]));
  }),
  of("QLinearMatMul", "a scale for each column", (c) => {
    const [a, b, y] = [unsigned(c, [2, 3, 4]), perPosition(c, [4, 5], 1), output(c)];
    return back(c, c.emit("QLinearMatMul", [a.q, a.scale, a.zero, b.q, b.scale, b.zero, y.scale, y.zero]), y);
  }),
  of("com.microsoft.MatMulIntegerToFloat", "a bias", (c) => {
    const [a, b] = [unsigned(c, [2, 3, 4]), perPosition(c, [4, 5], 1)];
    return c.emit("com.microsoft.MatMulIntegerToFloat", [a.q, b.q, a.scale, b.scale, a.zero, b.zero, c.float([5])]);
  }),
  ...[0, 1].map((transB) =>
    of("com.microsoft.QGemm", `transB ${transB}`, (c) => {
      const [a, y] = [unsigned(c, [3, 4]), output(c)];
      const b = transB ? perPosition(c, [5, 4], 0) : perPosition(c, [4, 5], 1);
      const bias = c.int32([100, -200, 300, 0, 50]);
      const inputs = [a.q, a.scale, a.zero, b.q, b.scale, b.zero, bias, y.scale, y.zero];
      return back(c, c.emit("com.microsoft.QGemm", inputs, { transB: attr.int(transB) }), y);
    }),
  ),
  of("com.microsoft.DynamicQuantizeMatMul", "a scale for each column, a bias", (c) => {
    const b = perPosition(c, [4, 5], 1);
    const bias = c.float([5]);
    return c.emit("com.microsoft.DynamicQuantizeMatMul", [c.float([2, 3, 4]), b.q, b.scale, b.zero, bias]);
  }),
  of("com.microsoft.QAttention", "a scale for each column, a mask", (c) => {
    const x = unsigned(c, [2, 3, 5]);
    const w = quantized(c, [5, 24], one(c, 0.01, c.int8([3], [])));
    const mask = c.int32([1, 1, 0, 1, 1, 1], [2, 3]);
    return c.emit("com.microsoft.QAttention", [x.q, w.q, c.float([24]), x.scale, w.scale, mask, x.zero, w.zero], {
      num_heads: attr.int(4),
    });
  }),
];

const each = (op: string, name: string, attributes: Parameters<CaseBuilder["emit"]>[2] = {}) =>
  of(`com.microsoft.${op}`, name, (c) => {
    const [x, y] = [unsigned(c, [2, 3, 4, 4]), output(c)];
    return back(c, c.emit(`com.microsoft.${op}`, [x.q, x.scale, x.zero, y.scale, y.zero], attributes), y);
  });

const pair = (op: string) =>
  of(`com.microsoft.${op}`, "one broadcast", (c) => {
    const [a, b, y] = [unsigned(c, [2, 3, 4]), unsigned(c, [3, 1]), output(c)];
    const inputs = [a.q, a.scale, a.zero, b.q, b.scale, b.zero, y.scale, y.zero];
    return back(c, c.emit(`com.microsoft.${op}`, inputs), y);
  });

const window = { kernel_shape: attr.ints([2, 2]) };

export const quantizeCases: readonly OpCase[] = [
  ...there("QuantizeLinear", ""),
  ...there("DequantizeLinear", ""),
  blocks,
  ...there("QuantizeLinear", "com.microsoft."),
  ...there("DequantizeLinear", "com.microsoft."),
  of("DynamicQuantizeLinear", "what stands for 0 is chosen too", (c) => {
    const [q, scale, zero] = c.emitMany("DynamicQuantizeLinear", [c.float([2, 3, 4])], 3);
    return c.emit("DequantizeLinear", [q, scale, zero]);
  }),
  ...convolutions,
  ...products,
  pair("QLinearAdd"),
  pair("QLinearMul"),
  each("QLinearSigmoid", "four axes"),
  each("QLinearLeakyRelu", "four axes", { alpha: attr.float(0.1) }),
  each("QLinearGlobalAveragePool", "channels first"),
  each("QLinearGlobalAveragePool", "channels last", { channels_last: attr.int(1) }),
  each("QLinearAveragePool", "channels first", window),
  of("com.microsoft.QLinearConcat", "two parts", (c) => {
    const [a, b, y] = [unsigned(c, [2, 3, 4]), unsigned(c, [2, 2, 4]), output(c)];
    const inputs = [y.scale, y.zero, a.q, a.scale, a.zero, b.q, b.scale, b.zero];
    return back(c, c.emit("com.microsoft.QLinearConcat", inputs, { axis: attr.int(1) }), y);
  }),
  each("QLinearSoftmax", "the last axis", { axis: attr.int(-1), opset: attr.int(13) }),
];
