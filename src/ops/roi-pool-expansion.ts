import { fromNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import { expansion } from "./define.js";
import type { NodeContext } from "./node-context.js";
import { clip } from "./sampling-expansion.js";

/** To the nearest whole number, halves away from 0 as C does it, not to the even one as Round. */
const nearest = (c: NodeContext, x: Value) =>
  c.mul(c.sign(x), c.emit("Floor", [c.add(c.emit("Abs", [x]), c.scalar(0.5))]));

const row = (c: NodeContext, values: readonly number[], dims: readonly number[]) =>
  c.constant(fromNumbers(c.floatType, dims, values));

const count = (size: number, from = 0) => Array.from({ length: size }, (_, i) => from + i);

/**
 * Which of `size` positions along an axis lie in each cell of each region: bool [regions, cells, size]. A region from its
 * first to its last position, both whole numbers [regions, 1], is cut into cells that share their borders:
 * 5 positions in 2 cells are 0 to 2 and 2 to 4.
 */
function places(c: NodeContext, from: Value, to: Value, cells: number, size: number): Value {
  const length = c.emit("Max", [c.add(c.sub(to, from), c.scalar(1)), c.scalar(1)]);
  const each = c.div(length, c.scalar(cells));
  const at = (border: Value) => c.emit("Unsqueeze", [clip(c, c.add(border, from), 0, size), c.list([-1])]);
  const first = at(c.emit("Floor", [c.mul(row(c, count(cells), [1, cells]), each)]));
  const end = at(c.emit("Ceil", [c.mul(row(c, count(cells, 1), [1, cells]), each)]));
  const position = row(c, count(size), [1, 1, size]);
  return c.emit("And", [c.emit("GreaterOrEqual", [position, first]), c.emit("Less", [position, end])]);
}

/**
 * X [N, C, H, W], regions [R, 5] as the number of the image, x1, y1, x2, y2: the maximum of each cell of a raster in each
 * region, 0 where a cell is empty (Girshick, "Fast R-CNN", 2015). First along W, then along H, over all positions with
 * those outside of the cell made small: R C H W times the columns of the raster are in memory at once.
 */
export const maxRoiPoolExpansion = expansion((c) => {
  const [x, regions] = [c.input(0), c.input(1)];
  const [, channels, height, width] = c.dims(x);
  const [many] = c.dims(regions);
  const [rows, columns] = c.node.ints("pooled_shape", [1, 1]);
  const [image, ...edges] = c.emitMany("Split", [regions, c.list([1, 1, 1, 1, 1])], 5, { axis: attr.int(1) });
  const [x1, y1, x2, y2] = edges.map((edge) => nearest(c, c.scale(edge, c.node.float("spatial_scale", 1))));
  const lowest = c.scalar(c.floatType === "float16" ? -65504 : -3e38);
  const among = (place: Value, to: readonly number[], value: Value, from: readonly number[], axis: number) => {
    const seen = c.emit("Where", [c.reshape(place, to), c.reshape(value, from), lowest]);
    return c.emit("ReduceMax", [seen, c.list([axis])], { keepdims: attr.int(0) });
  };
  const images = c.emit("Gather", [x, c.cast(c.reshape(image, [many]), "int64")]);
  const across = places(c, x1, x2, columns, width);
  const down = places(c, y1, y2, rows, height);
  const rowsOf = [many, channels, height, 1, width];
  const widths = among(across, [many, 1, 1, columns, width], images, rowsOf, 4);
  const found = among(down, [many, 1, rows, height, 1], widths, [many, channels, 1, height, columns], 3);
  return [c.emit("Where", [c.emit("Greater", [found, lowest]), found, c.scalar(0)])];
});
