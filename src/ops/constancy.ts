import { intTensor, type Tensor } from "../base/tensor.js";
import { constantOf } from "../graph/constant.js";
import type { Node, Value } from "../graph/ir.js";
import { readsOf } from "../graph/walk.js";

// Facts about what may differ between two runs of an operator: its elements, its dims, or neither.

/** Whether the node may give other elements each time, for the same inputs: of other domains nothing is known. */
export function isRandom(node: Node): boolean {
  if (node.domain !== "") return true;
  if (node.type === "Dropout") return !isInferenceDropout(node);
  return randomTypes.has(node.type) || node.subgraphs.some((body) => [...body.nodes].some(isRandom));
}

const randomTypes = new Set([
  "RandomNormal",
  "RandomNormalLike",
  "RandomUniform",
  "RandomUniformLike",
  "Bernoulli",
  "Multinomial",
]);

/** Whether the first output is the first input, and no other output is read: Identity, Dropout outside of training. */
export function handsOn(node: Node): boolean {
  if (node.domain === "" && node.type === "Identity") return true;
  return isInferenceDropout(node) && !node.outputs[1]?.isRead;
}

/** Dropout that hands its input on. Opset 7 to 11 had no other. */
function isInferenceDropout(node: Node): boolean {
  if (node.domain !== "" || node.type !== "Dropout") return false;
  const training = node.inputs[2];
  return !training || constantOf(training)?.array[0] === 0;
}

/** Whether the outputs depend on the dims of the input alone, not on its elements. */
export function readsDimsOnly(node: Node): boolean {
  return node.domain === "" && (node.type === "Shape" || node.type === "Size" || node.type === "EyeLike");
}

/** What a Shape or Size node gives for an input of these dims; null for other operators. */
export function elementsFromDims(node: Node, dims: readonly number[]): Tensor | null {
  if (node.domain !== "") return null;
  if (node.type === "Size") return intTensor([dims.reduce((a, b) => a * b, 1)], []);
  if (node.type !== "Shape") return null;
  const at = (position: number) => Math.max(0, Math.min(position < 0 ? position + dims.length : position, dims.length));
  return intTensor(dims.slice(at(node.int("start", 0)), at(node.int("end", dims.length))));
}

/**
 * What a node reads whose elements, not only their dims, decide the dims of the outputs: the shape of a Reshape, all of
 * NonZero. Everything, where nothing is known: operators of other domains, bodies, sequences.
 */
export function valuesThatShape(node: Node): Iterable<Value> {
  const { type } = node;
  const opaque = node.domain !== "" || node.subgraphs.length > 0 || /Sequence|Optional|String/.test(type);
  const indices = shapingInputs[type];
  if (opaque || indices === "all") return readsOf(node);
  return (indices ?? []).flatMap((index) => node.inputs[index] ?? []);
}

const reductions = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"];

const shapingInputs: Record<string, readonly number[] | "all" | undefined> = {
  ...Object.fromEntries(reductions.map((kind) => [`Reduce${kind}`, [1]])),
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1, 2],
  Compress: [1],
  ConstantOfShape: [0],
  DFT: [1, 2],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  ImageDecoder: [0],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1],
  NonMaxSuppression: "all",
  NonZero: [0],
  OneHot: [1],
  Pad: [1, 3],
  Range: "all",
  Reshape: [1],
  Resize: [1, 2, 3],
  STFT: [1, 3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Tile: [1],
  TopK: [1],
  Unique: [0],
  Unsqueeze: [1],
  Upsample: [1],
};
