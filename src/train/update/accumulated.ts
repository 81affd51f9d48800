import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import type { Optimizer } from "../optimizers.js";

/**
 * The optimizer, which takes one step for `batches` batches, along the mean of their gradients: batches of 16, four at a
 * time, train as batches of 64 do, in the memory of 16.
 */
export function accumulated(optimizer: Optimizer, batches: number): Optimizer {
  const stepOf = (batch: number) => Math.ceil(batch / batches);
  return {
    name: optimizer.name,
    batches,
    slots: [...optimizer.slots, "gradient"],
    scalars: (batch, rate) => ({
      ...optimizer.scalars(stepOf(batch), rate),
      due: batch % batches === 0 ? 1 : 0,
    }),
    emit(step) {
      const { builder: b, parameters, slots, scalar } = step;
      const own = slots.slice(0, optimizer.slots.length);
      const share = b.emit("Mul", [step.gradient, b.scalar(1 / batches)]);
      const gradient = b.emit("Add", [slots[own.length], share]);
      const stepped = optimizer.emit({ ...step, gradient, slots: own });
      const due = b.emit("Cast", [scalar("due")], { to: attr.int(9) });
      const unlessDue = (after: Value, before: Value) => b.emit("Where", [due, after, before]);
      return {
        parameters: unlessDue(stepped.parameters, parameters),
        slots: [...stepped.slots.map((after, i) => unlessDue(after, own[i])), unlessDue(b.scalar(0), gradient)],
      };
    },
  };
}
