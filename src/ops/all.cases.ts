import { activationCases } from "./activation.cases.js";
import { arithmeticCases } from "./arithmetic.cases.js";
import { fusedAttentionCases } from "./attention.cases.js";
import { chooseCases } from "./choose.cases.js";
import { controlCases } from "./control.cases.js";
import { convCases } from "./conv.cases.js";
import { deformedConvCases } from "./deformed-conv.cases.js";
import { einsumCases } from "./einsum.cases.js";
import { fusedCases } from "./fused.cases.js";
import { linearCases } from "./linear.cases.js";
import { logicCases } from "./logic.cases.js";
import { lossCases } from "./loss-ops.cases.js";
import { nbitsCases } from "./nbits.cases.js";
import { normCases } from "./norm.cases.js";
import type { OpCase } from "./op.cases.js";
import { padCases } from "./pad.cases.js";
import { passCases } from "./pass.cases.js";
import { poolCases } from "./pool.cases.js";
import { quantizeCases } from "./quantize.cases.js";
import { recurrentCases } from "./recurrent.cases.js";
import { reduceCases } from "./reduce.cases.js";
import { resampleCases } from "./resample.cases.js";
import { reshapeCases } from "./reshape.cases.js";
import { selectCases } from "./select.cases.js";
import { signalCases } from "./signal.cases.js";
import { softmaxCases } from "./softmax.cases.js";
import { standardAttentionCases } from "./standard-attention.cases.js";
import { twiceCases } from "./twice.cases.js";

/** The cases of every family; the contract suites run over all of them. */
export const allCases: readonly OpCase[] = [
  ...linearCases,
  ...einsumCases,
  ...convCases,
  ...normCases,
  ...padCases,
  ...poolCases,
  ...reduceCases,
  ...reshapeCases,
  ...selectCases,
  ...softmaxCases,
  ...arithmeticCases,
  ...activationCases,
  ...passCases,
  ...logicCases,
  ...resampleCases,
  ...recurrentCases,
  ...chooseCases,
  ...controlCases,
  ...fusedCases,
  ...fusedAttentionCases,
  ...quantizeCases,
  ...nbitsCases,
  ...standardAttentionCases,
  ...deformedConvCases,
  ...signalCases,
  ...lossCases,
  ...twiceCases,
];
