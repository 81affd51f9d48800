import type { Model } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { findLayers } from "./find-layers.js";

/** One layer that can be bypassed, for people. */
export interface LayerDescription {
  name: string;
  /** Number of the block that it belongs to, from 0. */
  block: number;
  attention: boolean;
  /** What goes with it: elements of weights, and multiply-accumulates of the traced run. */
  parameters: number;
  macs: number;
}

/**
 * What can be taken out of the depth of a prepared model.
 * @param usual the run that MACs are those of.
 */
export function describeLayers(model: Model, trace: Trace, usual = trace): LayerDescription[] {
  const blocks = findLayers(model, trace, "block", usual);
  return findLayers(model, trace, "layer", usual).map(({ name, bypasses, attention, parameters, macs }) => ({
    name,
    block: blocks.findIndex(({ nodes }) => nodes.has(bypasses[0].sum)),
    attention,
    parameters,
    macs,
  }));
}
