import type { Node } from "../graph/ir.js";
import { activationOps } from "./activation.js";
import { arithmeticOps } from "./arithmetic.js";
import { attentionOps } from "./attention.js";
import { chooseOps } from "./choose.js";
import { controlOps } from "./control.js";
import { conv } from "./conv.js";
import { convTranspose } from "./conv-transpose.js";
import { nameOf, type OpDefinition } from "./define.js";
import { deformedConvOps } from "./deformed-conv.js";
import { determinantOps } from "./determinant.js";
import { einsumOps } from "./einsum.js";
import { fusedOps } from "./fused.js";
import { linearOps } from "./linear.js";
import { logicOps } from "./logic.js";
import { lossOps } from "./loss-ops.js";
import { nbitsOps } from "./nbits.js";
import { normOps } from "./norm.js";
import { padOps } from "./pad.js";
import { passOps } from "./pass.js";
import { poolOps } from "./pool.js";
import { quantizeOps } from "./quantize.js";
import { recurrentOps } from "./recurrent.js";
import { reduceOps } from "./reduce.js";
import { resampleOps } from "./resample.js";
import { reshapeOps } from "./reshape.js";
import { selectOps } from "./select.js";
import { sequenceOps } from "./sequence.js";
import { signalOps } from "./signal.js";
import { softmaxOps } from "./softmax.js";
import { sourceOps } from "./source.js";
import { standardAttentionOps } from "./standard-attention.js";

/** Every operator espalier knows, in the order of the families. */
export const allOps: readonly OpDefinition[] = [
  ...linearOps,
  ...einsumOps,
  conv,
  convTranspose,
  ...deformedConvOps,
  ...determinantOps,
  ...normOps,
  ...padOps,
  ...poolOps,
  ...reduceOps,
  ...reshapeOps,
  ...selectOps,
  ...softmaxOps,
  ...arithmeticOps,
  ...activationOps,
  ...passOps,
  ...logicOps,
  ...sourceOps,
  ...recurrentOps,
  ...resampleOps,
  ...chooseOps,
  ...controlOps,
  ...fusedOps,
  ...attentionOps,
  ...standardAttentionOps,
  ...signalOps,
  ...lossOps,
  ...sequenceOps,
  ...quantizeOps,
  ...nbitsOps,
];

const byName = new Map(allOps.map((op) => [nameOf(op), op]));

/** What is known about a node's operator; undefined for operators outside the registry. */
export function opOf(node: Node): OpDefinition | undefined {
  return byName.get(node.operator);
}
