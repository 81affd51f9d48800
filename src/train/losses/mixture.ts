import type { Value } from "../../graph/ir.js";
import type { Loss } from "./loss.js";

/** A loss that counts `weight` times. */
export interface Part {
  loss: Loss;
  weight: number;
}

/** The sum of several losses, each times its weight. What is right is as the first of them that knows says. */
export function mixture(parts: readonly Part[]): Loss {
  const counted = parts.filter(({ weight }) => weight !== 0);
  if (counted.length === 1 && counted[0].weight === 1) return counted[0].loss;
  return {
    name: counted.map(({ loss }) => loss.name).join(" + "),
    targets: [...new Set(counted.flatMap(({ loss }) => loss.targets))],
    values: [...new Set(counted.flatMap(({ loss }) => loss.values ?? []))],
    emit(context) {
      const { builder: b } = context;
      const terms = counted.map(({ loss, weight }) => b.emit("Mul", [loss.emit(context), b.scalar(weight)]));
      return terms.reduce((sum: Value, term) => b.emit("Add", [sum, term]));
    },
    accuracy(context) {
      for (const { loss } of counted) {
        const accuracy = loss.accuracy?.(context);
        if (accuracy) return accuracy;
      }
      return null;
    },
  };
}
