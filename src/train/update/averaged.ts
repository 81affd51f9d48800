import type { Optimizer } from "../optimizers.js";

/** The name of the slot that holds the average. */
export const averageSlot = "average";

/**
 * The optimizer, and a running mean of the weights that it comes to (Polyak and Juditsky, 1992):
 *   mean = d mean + (1 - d) w  with  d = min(decay, (t - 1) / (t + 9))
 * at step t, so that the first steps, which are far from where it ends, are soon forgotten: d is 0, 1/11, 2/12, ... and
 * reaches 0.99 at step 991.
 */
export function averaged(optimizer: Optimizer, decay: number): Optimizer {
  return {
    ...optimizer,
    slots: [...optimizer.slots, averageSlot],
    scalars: (step, rate) => ({ ...optimizer.scalars(step, rate), kept: (step - 1) / (step + 9) }),
    emit(step) {
      const { builder: b, slots, scalar, mask } = step;
      const own = optimizer.slots.length;
      const stepped = optimizer.emit({ ...step, slots: slots.slice(0, own) });
      const weights = mask ? b.emit("Mul", [stepped.parameters, mask]) : stepped.parameters;
      const kept = b.emit("Min", [scalar("kept"), b.scalar(decay)]);
      const way = b.emit("Mul", [b.emit("Sub", [slots[own], weights]), kept]);
      return { ...stepped, slots: [...stepped.slots, b.emit("Add", [weights, way])] };
    },
  };
}
