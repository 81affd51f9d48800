import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/ir.js";
import { useBatchStatistics } from "../ops/norm.js";
import { inputNames } from "./input-names.js";
import { type Layout, layOut } from "./layout.js";
import { unpack } from "./unpack.js";

/**
 * Switches every BatchNormalization to batch statistics; its running ones become state. Nodes with constants whose names
 * are not among `own` keep the statistics that they have.
 */
export function trainOnBatches(
  b: Builder,
  behind: ReadonlySet<Value>,
  own: { has(name: string): boolean },
  vector: (name: string, size: number) => Value,
): { layout: Layout; updated: Value } | null {
  const found = new Map<Value, Value>();
  for (const node of [...b.graph.nodes]) {
    if (!node.outputs.some((output) => output && behind.has(output))) continue;
    if (node.inputs.some((input) => input?.initializer && !own.has(input.name))) continue;
    for (const { running, updated } of useBatchStatistics(b, node)) {
      // Nodes that share statistics (a network applied twice): the first reader's batch counts.
      if (running.initializer && !found.has(running)) found.set(running, updated);
    }
  }
  if (found.size === 0) return null;
  const constants = [...found.keys()];
  const layout = layOut(constants.map(({ name, initializer }) => ({ name, dims: initializer?.dims ?? [] })));
  unpack(b, vector(inputNames.running, layout.size), layout, constants);
  return { layout, updated: b.emit("Concat", [...found.values()], { axis: attr.int(0) }) };
}
