import type { Model } from "../../graph/ir.js";
import { exampleInputs, type Shapes } from "../../run/example.js";
import type { Engine, Tensors } from "../../run/session.js";
import { type Grouping, groupsOf } from "./groups.js";
import { prepareForCuts, traceSizes } from "./prepare.js";

export interface BuildOptions {
  engine: Engine;
  /** Dims of inputs whose file leaves axes free, by input. What is not given is made up. */
  shapes?: Shapes;
}

/**
 * Finds everything that can be taken out of a network, on any architecture, without hints: the model is run on made-up
 * inputs for the shapes of its intermediates, then the links between axes are followed through every node.
 * The original is left alone; `Grouping.model` is a copy at opset 21 with the same values.
 * Throws `unsupported` for models older than opset 6, `runtime` where onnxruntime refuses the made-up inputs.
 */
export async function buildGroups(original: Model, { engine, shapes = {} }: BuildOptions): Promise<Grouping> {
  const prepared = prepareForCuts(original);
  return groupsOf(prepared, await traceSizes(prepared.model, exampleSizes(prepared.model, shapes), engine));
}

/**
 * Two examples that differ on every free axis, so that what is the same for both is no size; one, if no axis is free.
 * Batches of 2 and 3, other axes of 8 and 12 positions, images of 64 and 96.
 */
export function exampleSizes(model: Model, shapes: Shapes = {}): Tensors[] {
  const free = model.graph.requiredInputs.some(({ type }) =>
    type?.dims?.some((dim) => typeof dim !== "number" || dim <= 0),
  );
  return (free ? [0, 1] : [0]).map((which) => {
    const chosen: Record<string, readonly number[]> = { ...shapes };
    const named = new Map<string, number>();
    for (const { name, type } of model.graph.requiredInputs) {
      if (shapes[name] || !type?.dims) continue;
      const { dims } = type;
      chosen[name] = dims.map((dim, axis) => {
        if (typeof dim === "number" && dim > 0) return dim;
        const size = axis === 0 ? 2 + which : dims.length >= 4 && axis >= 2 ? [64, 96][which] : [8, 12][which];
        if (typeof dim !== "string") return size;
        const known = named.get(dim) ?? size;
        named.set(dim, known);
        return known;
      });
    }
    return exampleInputs(model, { seed: which, shapes: chosen });
  });
}
