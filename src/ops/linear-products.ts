import { constantOf } from "../graph/constant.js";
import type { LinearContext, LinearMap } from "./linear-map.js";

const plain = { groups: 1, taps: 1, source: (row: number) => row, biasAt: (channel: number) => channel };

/** Y = alpha op(A) op(B) + beta C, with constant B. C counts as a bias where it has an element for each column. */
export function gemmLinear({ node, inputDims, outputDims }: LinearContext): LinearMap | null {
  if (!constantOf(node.inputs[1])) return null;
  const [inputs, outputs] = [inputDims(0)[node.int("transA", 0) ? 0 : 1], outputDims(0)[1]];
  const c = inputDims(2);
  const biasScale = node.float("beta", 1);
  const hasBias = Boolean(node.inputs[2]) && c.at(-1) === outputs && c.slice(0, -1).every((dim) => dim === 1);
  const rows = node.int("transB", 0) === 1;
  return {
    ...plain,
    data: 0,
    weight: 1,
    bias: hasBias && biasScale !== 0 ? 2 : null,
    scale: node.float("alpha", 1),
    biasScale,
    dataAxis: node.int("transA", 0) ? 0 : 1,
    outputAxis: 1,
    inputs,
    outputs,
    at: (_group, _tap, input, output) => (rows ? output * inputs + input : input * outputs + output),
  };
}

/** One side is a constant matrix, which all that stands in the other's batch axes is multiplied with. */
export function matMulLinear({ node, inputDims, outputDims }: LinearContext): LinearMap | null {
  const right = constantOf(node.inputs[1]) !== null;
  const [data, weight] = right ? [0, 1] : [1, 0];
  if (!constantOf(node.inputs[weight]) || inputDims(weight).length !== 2) return null;
  const [rank, outputRank] = [inputDims(data).length, outputDims(0).length];
  // From the left the sum goes over the last axis but one, or the only one.
  const dataAxis = right ? rank - 1 : Math.max(0, rank - 2);
  const outputAxis = right || rank === 1 ? outputRank - 1 : outputRank - 2;
  const [inputs, outputs] = [inputDims(data)[dataAxis], outputDims(0)[outputAxis]];
  return {
    ...plain,
    data,
    weight,
    bias: null,
    scale: 1,
    biasScale: 1,
    dataAxis,
    outputAxis,
    inputs,
    outputs,
    at: (_group, _tap, input, output) => (right ? input * outputs + output : output * inputs + input),
  };
}

/**
 * X W^T + Wb of LSTM, GRU and RNN for all steps and both directions, to which each step adds what it makes of the state.
 * W is [directions, gates H, inputs]; B holds Wb and then Rb for each direction, [directions, 2 gates H].
 * Example: in 2 directions of 12 rows, channel 15 is row 3 of the second, and its bias is element 24 + 3.
 */
export function recurrentLinear({ node, inputDims }: LinearContext): LinearMap | null {
  if (!constantOf(node.inputs[1])) return null;
  const [directions, rows, inputs] = inputDims(1);
  return {
    ...plain,
    data: 0,
    weight: 1,
    bias: node.inputs[3] ? 3 : null,
    scale: 1,
    biasScale: 1,
    dataAxis: 2,
    outputAxis: null,
    inputs,
    outputs: directions * rows,
    at: (_group, _tap, input, output) => output * inputs + input,
    biasAt: (channel) => channel + rows * Math.floor(channel / rows),
  };
}
