import { fromNumbers, intTensor, type Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { normalizeAxis } from "./broadcast.js";
import { alongOthers, type Coupling, opaque } from "./coupling.js";
import { expansion, withoutWeights } from "./define.js";
import { stopped } from "./elementwise.js";
import type { NodeContext } from "./node-context.js";

// Fourier transforms, which are products with a matrix of cosines and sines, and what comes with them.

/**
 * [n * parts, frequencies * 2]: real and imaginary part of sum_j x_j e^(-2 pi i jk / length), + and divided by the length
 * for the inverse. `parts` is 2 where x has an imaginary part, else 1.
 */
function fourierMatrix(c: NodeContext, n: number, parts: number, length: number, frequencies: number): Tensor {
  const inverse = c.node.int("inverse", 0) === 1;
  const values = new Array<number>(n * parts * frequencies * 2);
  for (let j = 0; j < n; j++) {
    for (let k = 0; k < frequencies; k++) {
      // j k modulo the length, so that the angle stays exact.
      const angle = ((inverse ? 2 : -2) * Math.PI * ((j * k) % length)) / length;
      const [cos, sin] = [Math.cos(angle), Math.sin(angle)].map((x) => (inverse ? x / length : x));
      const at = (part: number) => ((j * parts + part) * frequencies + k) * 2;
      values[at(0)] = cos;
      values[at(0) + 1] = sin;
      if (parts === 1) continue;
      values[at(1)] = -sin;
      values[at(1) + 1] = cos;
    }
  }
  return fromNumbers(c.floatType, [n * parts, frequencies * 2], values);
}

/**
 * [n * 2, length]: the real numbers whose first frequencies, real and imaginary part, are given. Each but the first, and the
 * middle one of an even length, counts twice, for the one that mirrors it.
 */
function realInverseMatrix(c: NodeContext, n: number, length: number): Tensor {
  const values = new Array<number>(n * 2 * length);
  for (let k = 0; k < n; k++) {
    const share = (k === 0 || 2 * k === length ? 1 : 2) / length;
    for (let j = 0; j < length; j++) {
      const angle = (2 * Math.PI * ((j * k) % length)) / length;
      values[2 * k * length + j] = share * Math.cos(angle);
      values[(2 * k + 1) * length + j] = -share * Math.sin(angle);
    }
  }
  return fromNumbers(c.floatType, [n * 2, length], values);
}

/** x [.., n, .., parts] along one axis: [.., frequencies, .., 2]; of the one-sided inverse [.., length, .., 1]. */
const dftExpansion = expansion((c) => {
  const x = c.input(0);
  const dims = c.dims(x);
  const parts = dims[dims.length - 1];
  const given = [c.optional(1), c.optional(2)].map((value) => value && c.ints(value)[0]);
  const axis = normalizeAxis(given[1] ?? -2, dims.length);
  const half = c.node.int("onesided", 0) === 1;
  const real = half && c.node.int("inverse", 0) === 1;
  const length = given[0] ?? (real ? 2 * (dims[axis] - 1) : dims[axis]);
  const oneSided = Math.floor(length / 2) + 1;
  const to = half && !real ? oneSided : length;
  // onnxruntime 1.30 fills up, and leaves out, others than the last ones.
  if (real && dims[axis] !== oneSided)
    throw c.refusal(`${length} real numbers have ${oneSided} frequencies, not ${dims[axis]}`);
  const n = Math.min(dims[axis], length);
  const others = dims.flatMap((_, i) => (i === axis || i === dims.length - 1 ? [] : [i]));
  const used = n < dims[axis] ? c.emit("Slice", [x, c.list([0]), c.list([n]), c.list([axis])]) : x;
  const perm = [...others, axis, dims.length - 1];
  const rows = c.reshape(c.emit("Transpose", [used], { perm: attr.ints(perm) }), [-1, n * parts]);
  const matrix = real ? realInverseMatrix(c, n, length) : fourierMatrix(c, n, parts, length, to);
  const product = c.emit("MatMul", [rows, c.constant(matrix)]);
  const apart = c.reshape(product, [...others.map((i) => dims[i]), to, real ? 1 : 2]);
  return [c.emit("Transpose", [apart], { perm: attr.ints(dims.map((_, i) => perm.indexOf(i))) })];
});

/** Signal [B, L], [B, L, 1] or, complex, [B, L, 2] in frames of `length`, a step apart, each times the window: [B, frames, frequencies, 2]. */
const stftExpansion = expansion((c) => {
  const signal = c.input(0);
  const [batch, samples, parts = 1] = c.dims(signal);
  const window = c.optional(2);
  if (parts > 1 && window) throw c.refusal("onnxruntime 1.30 reads windows of complex signals beyond their end");
  const [given] = c.optional(3) ? c.ints(c.input(3)) : [];
  const length = given ?? (window ? c.dims(window)[0] : samples);
  const [step] = c.ints(c.input(1));
  const frames = Math.floor((samples - length) / step) + 1;
  const places = Array.from({ length: frames * length }, (_, i) => Math.floor(i / length) * step + (i % length));
  const framed = c.emit("Gather", [signal, c.constant(intTensor(places, [frames, length]))], { axis: attr.int(1) });
  const apart = c.reshape(framed, [batch * frames, length, parts]);
  const weighted = window ? c.mul(apart, c.reshape(window, [length, 1])) : apart;
  const rows = c.reshape(weighted, [batch * frames, length * parts]);
  const half = c.node.int("onesided", 1) === 1;
  const frequencies = half ? Math.floor(length / 2) + 1 : length;
  const product = c.emit("MatMul", [rows, c.constant(fourierMatrix(c, length, parts, length, frequencies))]);
  return [c.reshape(product, [batch, frames, frequencies, 2])];
});

const stftCoupling: Coupling = {
  links(c) {
    const [x, y] = [c.input(0), c.output(0)];
    c.same(x[0], y[0]);
    c.boundAll([...x.slice(1), ...y.slice(1)], "transforms it");
    c.data(1, 2, 3);
  },
};

const fixedSize = opaque("gives it with a fixed size");

export const signalOps = [
  withoutWeights(
    "DFT",
    dftExpansion,
    alongOthers((c) => {
      const rank = c.input(0).length;
      return [normalizeAxis(c.ints(2)?.[0] ?? -2, rank), rank - 1];
    }, "transforms it"),
  ),
  withoutWeights("STFT", stftExpansion, stftCoupling),
  // The bands of MelWeightMatrix begin and end at whole numbers, to which their edges are rounded down.
  ...stopped(["HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix"], fixedSize),
];
