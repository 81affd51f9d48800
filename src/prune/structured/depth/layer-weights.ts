import { toFloat32 } from "../../../base/tensor.js";
import { constantOf } from "../../../graph/constant.js";
import type { Trace } from "../../../graph/trace.js";
import { sourceOf } from "../../../ops/constant-view.js";
import { opOf } from "../../../ops/registry.js";
import type { ResidualLayer } from "./residual-layer.js";

/** The weights of one linear map in a layer. */
export interface LayerWeight {
  values: Float32Array;
  /** How many outputs it computes: neurons, filters, gates. */
  outputs: number;
}

/** The weights of a layer's convolutions and linear maps, those that it shares with others included. */
export function* weightsOf(layer: ResidualLayer, trace: Trace): Generator<LayerWeight> {
  for (const node of layer.nodes) {
    const dims = (index: number) => {
      const input = node.inputs[index];
      return input ? trace.dims(input) : [];
    };
    for (const { input, outputAxis } of opOf(node)?.weights(node, (index) => dims(index).length) ?? []) {
      const tensor = constantOf(sourceOf(node.inputs[input] ?? null));
      if (tensor) yield { values: toFloat32(tensor), outputs: dims(input)[outputAxis] };
    }
  }
}
