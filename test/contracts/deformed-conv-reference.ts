import { toFloat32 } from "../../src/base/tensor.js";
import { Grid, indices, type Reference } from "./grid.js";

/** A Conv whose window reads each pixel elsewhere, between four of the picture. */
export const deformConv: Reference = (node, _inputs, dims, count, [x, w, moves, bias, mask]) => {
  if (!x || !w || !moves) return [];
  const [strides, dilations, pads] = ["strides", "dilations", "pads"].map((name) => node.ints(name, []));
  const [input, weight, offset, seen] = [new Grid(x), new Grid(w), new Grid(moves), mask && new Grid(mask)];
  const deformed = node.int("offset_group", 1);
  const perGroup = w.dims[0] / node.int("group", 1);
  const [height, width] = w.dims.slice(2);
  return [...indices(dims)].map(([n, o, ...place]) => {
    let sum = bias ? toFloat32(bias)[o] : 0;
    for (const [i, ...k] of indices(w.dims.slice(1))) {
      const channel = Math.floor(o / perGroup) * w.dims[1] + i;
      const group = Math.floor(channel / (x.dims[1] / deformed));
      const taken = (group * height + k[0]) * width + k[1];
      const [y, z] = [0, 1].map(
        (axis) =>
          place[axis] * (strides[axis] ?? 1) +
          k[axis] * (dilations[axis] ?? 1) -
          (pads[axis] ?? 0) +
          offset.at([n, 2 * taken + axis, ...place]),
      );
      let pixel = 0;
      for (const [dy, dz] of indices([2, 2])) {
        const [row, column] = [Math.floor(y) + dy, Math.floor(z) + dz];
        const share = (1 - Math.abs(y - row)) * (1 - Math.abs(z - column));
        pixel += share * input.at([n, channel, row, column]);
      }
      sum += count.multiply(pixel * (seen?.at([n, taken, ...place]) ?? 1), weight.at([o, i, ...k]));
    }
    return sum;
  });
};
