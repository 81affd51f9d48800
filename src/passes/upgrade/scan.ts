import { attr } from "../../graph/attribute.js";
import { copyBody } from "../../graph/clone.js";
import { addGraphInput, addGraphOutput, addNode, addValue, createSubgraph, freshName } from "../../graph/edit.js";
import type { Node, Value } from "../../graph/ir.js";
import type { Upgrade, UpgradeRule } from "./rule.js";

/**
 * Until opset 9 Scan ran over axis 1 once for every example along axis 0. That is a Scan over axis 0 without state,
 * whose body is today's Scan: Scan8(state [B, S], x [B, T, F]) = Scan over B of Scan(state [S], x [T, F]).
 */
function scan8(node: Node, u: Upgrade): void {
  if (node.inputs[0]) throw u.refuse(node, "it has sequence_lens, and what follows the end of a sequence is undefined");
  const body = node.attribute("body", "graph");
  if (!body) throw u.refuse(node, "it has no body");
  const inputs = node.inputs.slice(1);
  const example = createSubgraph(node.graph, `${body.name}_example`);
  const named = (hint: string): Value => addValue(example, freshName(example, hint));
  const slices = inputs.map((input) => {
    const slice = named(`${input?.name ?? "input"}_example`);
    addGraphInput(example, slice);
    return slice;
  });
  const directions = node.ints("directions", []);
  const scan = addNode(example, "Scan", {
    name: freshName(example, "scan"),
    inputs: slices,
    outputs: node.outputs.map((output) => output && named(`${output.name}_example`)),
    attributes: {
      num_scan_inputs: attr.int(node.int("num_scan_inputs", 1)),
      body: attr.graph(copyBody(body, example, new Map())),
      ...(directions.length > 0 && { scan_input_directions: attr.ints(directions) }),
    },
  });
  for (const output of scan.outputs) if (output) addGraphOutput(example, output);
  u.become(node, "Scan", inputs, { num_scan_inputs: attr.int(inputs.length), body: attr.graph(example) });
}

export const scanRules: readonly UpgradeRule[] = [{ type: "Scan", since: 9, rewrite: scan8 }];
