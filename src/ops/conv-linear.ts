import type { LinearContext, LinearMap } from "./linear-map.js";
import { transposedWindowOf, windowOf } from "./window.js";

const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);

/** The coordinates of an element in row-major order. */
function coordinates(index: number, dims: readonly number[]): number[] {
  const found = Array<number>(dims.length);
  let rest = index;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    found[axis] = rest % dims[axis];
    rest = Math.floor(rest / dims[axis]);
  }
  return found;
}

/**
 * The row that a tap sees from a row of the output, where `along` says which position it sees along each axis (a
 * position outside is padding).
 */
function sourceOfTaps(
  kernel: readonly number[],
  from: readonly number[],
  to: readonly number[],
  along: (axis: number, position: number, tap: number) => number,
): LinearMap["source"] {
  const taps = Array.from({ length: product(kernel) }, (_, tap) => coordinates(tap, kernel));
  const [planeFrom, planeTo] = [product(from), product(to)];
  return (row, tap) => {
    const at = coordinates(row % planeTo, to);
    let place = 0;
    for (const [axis, size] of from.entries()) {
      const position = along(axis, at[axis], taps[tap][axis]);
      if (position < 0 || position >= size) return -1;
      place = place * size + position;
    }
    return Math.floor(row / planeTo) * planeFrom + place;
  };
}

function channelsOf({ node, inputDims, outputDims }: LinearContext) {
  const groups = node.int("group", 1);
  return {
    data: 0,
    weight: 1,
    bias: node.inputs[2] ? 2 : null,
    scale: 1,
    biasScale: 1,
    dataAxis: 1,
    outputAxis: 1,
    groups,
    taps: product(inputDims(1).slice(2)),
    inputs: inputDims(0)[1] / groups,
    outputs: outputDims(0)[1] / groups,
    biasAt: (channel: number) => channel,
  };
}

/** W is [groups * outputs, inputs, kernel]. */
export function convLinear(context: LinearContext): LinearMap {
  const [x, w, y] = [context.inputDims(0).slice(2), context.inputDims(1).slice(2), context.outputDims(0).slice(2)];
  const { strides, dilations, padBegin } = windowOf(context.node, w, x, y, 1);
  const channels = channelsOf(context);
  const { taps, inputs, outputs } = channels;
  const along = (axis: number, position: number, tap: number) =>
    position * strides[axis] + tap * dilations[axis] - padBegin[axis];
  return {
    ...channels,
    source: sourceOfTaps(w, x, y, along),
    at: (group, tap, input, output) => ((group * outputs + output) * inputs + input) * taps + tap,
  };
}

/** W is [groups * inputs, outputs, kernel]. */
export function convTransposeLinear(context: LinearContext): LinearMap {
  const [x, w, y] = [context.inputDims(0).slice(2), context.inputDims(1).slice(2), context.outputDims(0).slice(2)];
  const window = transposedWindowOf(context.node, w, x, y);
  const channels = channelsOf(context);
  const { taps, inputs, outputs } = channels;
  // Position q adds to q * stride + tap * dilation - pad: the way back exists where the stride divides.
  const along = (axis: number, position: number, tap: number) => {
    const q = (position + window.padBegin[axis] - tap * window.dilations[axis]) / window.strides[axis];
    return Number.isInteger(q) ? q : -1;
  };
  return {
    ...channels,
    source: sourceOfTaps(w, x, y, along),
    at: (group, tap, input, output) => ((group * inputs + input) * outputs + output) * taps + tap,
  };
}
