import { matricesOf, type WeightShape } from "../weight.js";
import { definePattern, type Pattern } from "./pattern.js";

/**
 * Blocks of `height` outputs x `width` inputs go or stay together, as block-sparse kernels store them: 1x4 are four
 * inputs of one output, one vector load; 4x4 also share the loaded inputs among four outputs. In a Conv the inputs are
 * the channels at one position of the kernel, since kernels read those from one place (channels last, or a Gemm over
 * each position), and neighbouring pixels from different ones. At the edges blocks are as small as what is left.
 */
export function block(height: number, width: number): Pattern {
  const unitCount = (layer: WeightShape) => {
    const { rows, columns, offsets } = matricesOf(layer);
    return offsets.length * Math.ceil(rows / height) * Math.ceil(columns / width);
  };
  return definePattern({
    name: `${height}x${width}`,
    prescribes: null,
    unitCount,
    capacity: unitCount,
    locked: () => null,
    unitScores(layer, scores) {
      const sums = new Float64Array(unitCount(layer));
      const sizes = new Uint32Array(sums.length);
      forEachWeight(layer, height, width, (weight, unit) => {
        sums[unit] += scores[weight];
        sizes[unit]++;
      });
      return Float32Array.from(sums, (sum, unit) => sum / sizes[unit]);
    },
    spread(layer, removed) {
      const mask = new Uint8Array(layer.size);
      forEachWeight(layer, height, width, (weight, unit) => {
        mask[weight] = 1 - removed[unit];
      });
      return mask;
    },
  });
}

/** Visits the weights matrix by matrix, row by row; units count in the same order. */
function forEachWeight(
  layer: WeightShape,
  height: number,
  width: number,
  visit: (weight: number, unit: number) => void,
): void {
  const { rows, columns, rowStride, columnStride, offsets } = matricesOf(layer);
  const blocksDown = Math.ceil(rows / height);
  const blocksAcross = Math.ceil(columns / width);
  for (let position = 0; position < offsets.length; position++) {
    for (let row = 0; row < rows; row++) {
      const start = offsets[position] + row * rowStride;
      let unit = (position * blocksDown + Math.floor(row / height)) * blocksAcross;
      for (let first = 0; first < columns; first += width, unit++) {
        const end = Math.min(first + width, columns);
        for (let column = first; column < end; column++) visit(start + column * columnStride, unit);
      }
    }
  }
}
