import { convCases } from "./conv.cases.js";
import { linearCases } from "./linear.cases.js";
import { normCases } from "./norm.cases.js";
import type { OpCase } from "./op.cases.js";

/** The cases of every family; the contract suites run over all of them. */
export const allCases: readonly OpCase[] = [...linearCases, ...convCases, ...normCases];
