import { EspalierError, quoted } from "../base/errors.js";
import { Builder } from "../graph/builder.js";
import { removeGraphInput, setIrVersion, setOpset } from "../graph/edit.js";
import type { Model } from "../graph/ir.js";
import { allGraphs, allNodes, sortNodes } from "../graph/walk.js";
import { functionNames } from "../onnx/functions.js";
import { experimentalRules } from "./upgrade/experimental.js";
import { normRules } from "./upgrade/norm.js";
import { opset6Rules } from "./upgrade/opset6.js";
import { onlyFloatType, Upgrade, type UpgradeRule } from "./upgrade/rule.js";
import { samplingRules } from "./upgrade/sampling.js";
import { scanRules } from "./upgrade/scan.js";
import { shapeRules } from "./upgrade/shape.js";

/** The operator set whose forms gradient and coupling rules know. */
export const targetOpset = 21;
/** The version of the file format that came with it. */
const targetIrVersion = 10;
const oldestOpset = 6;

/** By operator, those for the oldest forms first: each leaves what the next one expects. */
const rules = new Map<string, UpgradeRule[]>();
for (const rule of [opset6Rules, shapeRules, normRules, samplingRules, scanRules, experimentalRules].flat()) {
  rules.set(rule.type, [...(rules.get(rule.type) ?? []), rule]);
}

/**
 * Brings the standard operators of a model, bodies of nodes included, to the forms of opset 21 (ONNX, "Operator
 * Changelog"). Outputs stay the same, all values of the file keep their names. Models of opset 21 and later are left as
 * they are: up to 28 only element types, optional inputs and attributes, and operators were added. A model that is
 * refused is left in between: give it a copy (`cloneModel`).
 * @returns how many nodes were rewritten.
 * Throws `unsupported` for opsets before 6, for a node whose old form has no equal, naming it, and for a file that
 * defines operators of its own.
 */
export function upgradeOpset(model: Model): number {
  const from = model.opsets.get("");
  if (from === undefined || from >= targetOpset) return 0;
  if (from < oldestOpset) {
    throw new EspalierError("unsupported", `the model is of opset ${from}, espalier reads ${oldestOpset} and later`, {
      hint: "Export it again with a newer exporter.",
    });
  }
  const [own] = functionNames(model);
  if (own !== undefined) {
    throw new EspalierError(
      "unsupported",
      `the model brings its own operator ${quoted(own)}, written for opset ${from}`,
      {
        hint: "Inline the functions when exporting, or export with opset 21.",
      },
    );
  }
  const onlyFloat = onlyFloatType(model);
  const upgrades = new Map(
    [...allGraphs(model.graph)].map((graph) => [graph, new Upgrade(from, new Builder(graph, "upgrade/"), onlyFloat)]),
  );
  // Innermost first: a rule for a control-flow node may give its body, then already upgraded, to another node.
  let rewritten = 0;
  for (const node of [...allNodes(model.graph)].reverse()) {
    const upgrade = upgrades.get(node.graph);
    const due = node.domain === "" ? rules.get(node.type)?.filter((rule) => from < rule.since) : undefined;
    if (!upgrade || !due?.length) continue;
    for (const rule of due) rule.rewrite(node, upgrade);
    rewritten++;
  }
  for (const graph of allGraphs(model.graph)) sortNodes(graph);
  setOpset(model, "", targetOpset);
  raiseIrVersion(model);
  return rewritten;
}

/** Before version 4 every initializer had to be listed as an input; since then that means the caller may replace it. */
function raiseIrVersion(model: Model): void {
  if (model.irVersion < 4) {
    for (const input of [...model.graph.inputs]) if (input.initializer) removeGraphInput(model.graph, input);
  }
  if (model.irVersion < targetIrVersion) setIrVersion(model, targetIrVersion);
}
