import type { Value } from "../graph/ir.js";
import type { Axis } from "./axis.js";
import { bordersOf, ofOneStep } from "./borders.js";
import { normalizeAxis } from "./broadcast.js";
import { branchExpansion, loopExpansion, scanExpansion } from "./control-expansion.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { withoutWeights } from "./define.js";

/** Axes of a value in a body and of what it is outside are the same. */
const alongBodies: Coupling = {
  links(c) {
    c.data(...(dataInputs[c.node.type] ?? []));
    for (const { inputs, outputs, carried } of bordersOf(c.node)) {
      for (const crossing of [...inputs, ...outputs]) {
        const { inner, outer, steps } = crossing;
        const axes = c.axesOf(outer);
        if (steps !== null && axes.length > 0)
          c.bound(axes[normalizeAxis(steps, axes.length)], "takes its steps along it");
        if (outer) alike(c, inner, ofOneStep(axes, crossing));
      }
      for (const [before, after] of carried) alike(c, before, c.axesOf(after));
    }
  },
};

/** How often a body runs and which one. */
const dataInputs: Record<string, readonly number[] | undefined> = { If: [0], Loop: [0, 1] };

/** Branches may give a value in other dims, such as with and without an axis of size 1. */
function alike(c: CouplingContext, value: Value, others: readonly Axis[]): void {
  const axes = c.axesOf(value);
  const count = (list: readonly Axis[]) => list.reduce((size, axis) => size * axis.size, 1);
  if (!c.isTraced(value)) c.boundAll(others, "has a body whose shapes are not known");
  else if (axes.length !== others.length) {
    if (count(axes) === count(others)) c.product(axes, others);
    else c.boundAll([...axes, ...others], "gives it in several sizes");
  } else {
    for (const [i, axis] of axes.entries()) {
      if (axis.size === others[i].size) c.same(axis, others[i]);
      else c.boundAll([axis, others[i]], "gives it in several sizes");
    }
  }
}

export const controlOps = [
  withoutWeights("If", branchExpansion, alongBodies),
  withoutWeights("Loop", loopExpansion, alongBodies),
  withoutWeights("Scan", scanExpansion, alongBodies),
];
