import { expect, it } from "vitest";
import { magnitude } from "../criteria/magnitude.js";
import { chooseMasks } from "../masks.js";
import { single } from "../patterns/single.js";
import { scoreLayer } from "../score.js";
import { erkScope } from "./erk.js";

/** Evci et al., 2020, appendix: layers whose density would pass 1 become dense, the scale is found for the rest. */
function erkDensities(shapes: readonly number[][], sparsity: number): number[] {
  const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
  const raw = shapes.map((dims) => dims.reduce((a, b) => a + b, 0) / size(dims));
  const dense = new Set<number>();
  for (;;) {
    let budget = (1 - sparsity) * shapes.reduce((sum, dims) => sum + size(dims), 0);
    let divisor = 0;
    for (const [i, dims] of shapes.entries()) {
      if (dense.has(i)) budget -= size(dims);
      else divisor += raw[i] * size(dims);
    }
    const scale = budget / divisor;
    const over = raw.findIndex((value, i) => !dense.has(i) && value * scale > 1);
    if (over < 0) return raw.map((value, i) => (dense.has(i) ? 1 : value * scale));
    dense.add(over);
  }
}

// LeNet-5 of LeCun et al. (1998), its convolutions as ONNX has them.
const shapes = [
  [6, 1, 5, 5],
  [16, 6, 5, 5],
  [120, 400],
  [84, 120],
  [10, 84],
];

it.each([0.5, 0.9, 0.95, 0.98, 0.99])("shares %d out as the paper does", (sparsity) => {
  const layers = shapes.map((dims, i) => {
    const size = dims.reduce((a, b) => a * b, 1);
    const layer = { name: `${i}`, dims, size, outputAxis: 0, inputAxis: 1, sparsity: null };
    return scoreLayer({ layer, weights: new Float32Array(size).map((_, w) => w) }, magnitude, 0);
  });
  const masks = chooseMasks(layers, { sparsity, scope: erkScope, pattern: single });
  const kept = masks.map((mask) => mask.reduce((a, b) => a + b, 0));
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  expect(kept.reduce((a, b) => a + b, 0)).toBe(total - Math.round(sparsity * total));
  for (const [i, density] of erkDensities(shapes, sparsity).entries()) {
    expect(Math.abs(kept[i] - density * layers[i].size)).toBeLessThan(1);
  }
});
