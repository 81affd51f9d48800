/** Dims of two shapes broadcast together, as NumPy does: [4, 1] and [3] -> [4, 3]. */
export function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const da = a[i - rank + a.length] ?? 1;
    const db = b[i - rank + b.length] ?? 1;
    return da === 1 ? db : da;
  });
}

/** Axes of `from` over which a tensor of dims `to` was repeated: from [4, 3] to [3] -> [0]; to [1, 3] -> [0]. */
export function summedAxes(from: readonly number[], to: readonly number[]): number[] {
  const shift = from.length - to.length;
  const axes: number[] = [];
  for (const [axis, dim] of from.entries()) {
    if (axis < shift ? true : to[axis - shift] === 1 && dim !== 1) axes.push(axis);
  }
  return axes;
}

/** -1 -> rank - 1. */
export function normalizeAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}
