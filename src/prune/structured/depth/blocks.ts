import type { Node, Value } from "../../../graph/ir.js";
import { readsOf } from "../../../graph/walk.js";
import type { Bypass, ResidualLayer } from "./residual-layer.js";

/**
 * What belongs together among layers in the network's order: attention, or several in a row (a decoder's own and that
 * over the encoder's output), with the one layer after them that has none. A layer that has others in it is a block with
 * these; every other one is a block by itself.
 */
export function blocksOf(
  layers: readonly ResidualLayer[],
  join: (bypasses: readonly Bypass[]) => ResidualLayer,
  multiplies: (node: Node) => boolean,
): ResidualLayer[] {
  const blocks: ResidualLayer[] = [];
  let open: ResidualLayer[] = [];
  const close = () => {
    if (open.length > 0) blocks.push(open.length === 1 ? open[0] : join(open.flatMap(({ bypasses }) => bypasses)));
    open = [];
  };
  for (const layer of layers) {
    if (layers.some((other) => contains(other, layer))) continue;
    const whole = layers.some((other) => contains(layer, other));
    if (open.length > 0 && (whole || !follows(layer, open[open.length - 1], multiplies))) close();
    open.push(layer);
    if (whole || !layer.attention) close();
  }
  close();
  return blocks;
}

/** Whether a layer's branch has another layer in it. */
export function contains(layer: ResidualLayer, other: ResidualLayer): boolean {
  return other !== layer && other.bypasses.every(({ sum }) => layer.nodes.has(sum));
}

/** Whether the layer starts from the other's result, at most normalized in between. */
function follows(layer: ResidualLayer, before: ResidualLayer, multiplies: (node: Node) => boolean): boolean {
  const [{ skip }] = layer.bypasses;
  const { output } = before.bypasses[before.bypasses.length - 1];
  const between = new Set<Value>([skip]);
  for (const value of between) {
    if (value === output) return true;
    const { producer } = value;
    if (producer && !multiplies(producer)) for (const read of readsOf(producer)) between.add(read);
  }
  return false;
}
