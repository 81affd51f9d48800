import { matricesOf } from "../weight.js";
import { keepMask } from "./keep-mask.js";
import { definePattern, type Pattern } from "./pattern.js";

/**
 * N:M, as 2:4 of NVIDIA's sparse tensor cores (Mishra et al., 2021): of every M consecutive weights along the input axis
 * the N best stay. In a Conv the group runs along the input channels at one position of the kernel, which is the order
 * in which such kernels read them. Where M does not divide the inputs, the last group is shorter and still keeps N, or
 * all when it has no more than N: filled up with zeros it is a valid group.
 * Example 2:4 over 6 inputs: 5 1 4 2 | 3 6 -> 5 0 4 0 | 3 6.
 */
export function nOfM(n: number, m: number): Pattern {
  const removable = (length: number) => Math.max(0, length - n);
  return definePattern({
    name: `${n}:${m}`,
    prescribes: 1 - n / m,
    unitCount: ({ size }) => size,
    capacity(layer) {
      const inputs = layer.dims[layer.inputAxis];
      const perRow = Math.floor(inputs / m) * removable(m) + removable(inputs % m);
      return (layer.size / inputs) * perRow;
    },
    unitScores: (_, scores) => scores,
    locked(layer, scores) {
      const { rows, columns, rowStride, columnStride, offsets } = matricesOf(layer);
      const locked = new Uint8Array(scores.length);
      for (let position = 0; position < offsets.length; position++) {
        for (let row = 0; row < rows; row++) {
          const start = offsets[position] + row * rowStride;
          for (let column = 0; column < columns; column += m) {
            const length = Math.min(m, columns - column);
            lockBest(scores, locked, start + column * columnStride, length, columnStride, removable(length));
          }
        }
      }
      return locked;
    },
    spread: (_, removed) => keepMask(removed),
  });
}

/** Locks all but the `removable` lowest of a group; among equal scores the first is the lower. */
function lockBest(
  scores: Float32Array,
  locked: Uint8Array,
  start: number,
  length: number,
  stride: number,
  removable: number,
): void {
  const end = start + length * stride;
  for (let i = start; i < end; i += stride) {
    const score = scores[i];
    let lower = 0;
    for (let j = start; j < i; j += stride) lower += Number(scores[j] <= score);
    for (let j = i + stride; j < end; j += stride) lower += Number(scores[j] < score);
    locked[i] = Number(lower >= removable);
  }
}
