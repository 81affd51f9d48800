import { dtypes } from "../../../base/dtype.js";
import { EspalierError } from "../../../base/errors.js";
import { toFloat32 } from "../../../base/tensor.js";
import type { Dataset } from "../../../data/dataset.js";
import { attr } from "../../../graph/attribute.js";
import { Builder } from "../../../graph/builder.js";
import type { Model, Value } from "../../../graph/ir.js";
import type { Trace } from "../../../graph/trace.js";
import { sortNodes } from "../../../graph/walk.js";
import { multipliesBy, valuesThatFlow } from "../../../ops/flow.js";
import { type PredictOptions, predict } from "../../../train/predict.js";
import type { Factor } from "../factors.js";
import { linkAxes } from "../link-axes.js";
import type { LayerActivityCriterion } from "./criterion.js";
import { maskLayers } from "./remove-layers.js";
import type { ResidualLayer } from "./residual-layer.js";

/**
 * The mean over all positions of the data of what a criterion says, by layer: one pass for all layers. onnxruntime
 * reduces each batch to a number for each example, so that memory does not grow with the data.
 * @param layers of those that are left.
 * @param options with the layers that are gone.
 * Throws `bad-data` where a layer gives numbers that are not finite.
 */
export async function observeLayers(
  { model, trace }: { model: Model; trace: Trace },
  layers: readonly ResidualLayer[],
  criterion: LayerActivityCriterion,
  data: Dataset,
  { removed, ...options }: PredictOptions & { removed: readonly ResidualLayer[] },
): Promise<Map<ResidualLayer, number>> {
  const featuresOf = featureFinder(model, trace);
  const { model: watched, values } = maskLayers(model, removed, trace);
  const b = new Builder(watched.graph, "observed/");
  const copyOf = (value: Value) => {
    const copy = values.get(value) ?? value;
    return trace.dtype(value) === "float" ? copy : b.emit("Cast", [copy], { to: attr.int(dtypes.float.code) });
  };
  const outputs = layers.map((layer) => {
    const { skip } = layer.bypasses[0];
    const { output } = layer.bypasses[layer.bypasses.length - 1];
    const axes = featuresOf(layer, skip);
    const positions = criterion.emit(b, copyOf(skip), copyOf(output), b.ints(axes));
    const others = trace.dims(skip).length - axes.length;
    const rest = Array.from({ length: Math.max(0, others - 1) }, (_, i) => i + 1);
    return rest.length === 0 ? positions : b.emit("ReduceMean", [positions, b.ints(rest)], { keepdims: attr.int(0) });
  });
  sortNodes(watched.graph);
  const sums = new Float64Array(layers.length);
  const counts = new Float64Array(layers.length);
  for await (const prediction of predict(watched, data, options, outputs)) {
    for (const [i, tensor] of prediction.outputs.entries()) {
      for (const value of toFloat32(tensor)) sums[i] += value;
      counts[i] += tensor.size;
    }
  }
  const means = layers.map((layer, i): [ResidualLayer, number] => [layer, sums[i] / counts[i]]);
  const strange = means.find(([, mean]) => !Number.isFinite(mean));
  if (!strange) return new Map(means);
  throw new EspalierError("bad-data", `'${strange[0].name}' is not finite for some of the examples`, {
    who: data.name,
  });
}

/**
 * The axes of a layer's input that hold the features of one position: those that the layer's weights sum over, wherever
 * they stand (channels of an image, the last axis of tokens). All but the first, where it sums over none of them.
 */
function featureFinder(model: Model, trace: Trace): (layer: ResidualLayer, input: Value) => number[] {
  const { axes, factors, contractions } = linkAxes(model.graph, trace);
  const flowing = valuesThatFlow(model.graph);
  return ({ nodes }, input) => {
    const summed = new Set<Factor>();
    for (const { node, input: index, axis } of contractions) {
      const value = node.inputs[index];
      if (!value || !nodes.has(node) || multipliesBy(node, trace, flowing) !== "weights") continue;
      for (const factor of factors.of(axes.of(value)[axis])) summed.add(factor);
    }
    const all = axes.of(input).map((axis, i) => ({ i, features: factors.of(axis).some((each) => summed.has(each)) }));
    const found = all.filter(({ features }) => features);
    return (found.length > 0 ? found : all.slice(1)).map(({ i }) => i);
  };
}
