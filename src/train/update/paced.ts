import { attr } from "../../graph/attribute.js";
import type { Optimizer } from "../optimizers.js";

/**
 * The optimizer, of whose step each tensor takes `paceOf` its name: 0.1 is a tenth of the learning rate, 0 none. That is
 * what parameter groups with rates of their own are in PyTorch, whatever the optimizer: each of its steps, decay too, is
 * the rate times something that does not depend on it.
 */
export function paced(optimizer: Optimizer, paceOf: (name: string) => number): Optimizer {
  return {
    ...optimizer,
    emit(step) {
      const { builder: b, layout, parameters } = step;
      const stepped = optimizer.emit(step);
      const parts = layout.slices.map(({ name, size }) => b.emit("Expand", [b.scalar(paceOf(name)), b.ints([size])]));
      const paces = parts.length === 1 ? parts[0] : b.emit("Concat", parts, { axis: attr.int(0) });
      const way = b.emit("Mul", [b.emit("Sub", [stepped.parameters, parameters]), paces]);
      return { ...stepped, parameters: b.emit("Add", [parameters, way]) };
    },
  };
}
