import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { Coupling } from "./coupling.js";
import { expansion, withoutWeights } from "./define.js";
import type { NodeContext } from "./node-context.js";

/** Sizes that are written out as products; beyond them the terms would be too many. */
const largest = 4;

/** By its first row: det A = sum over j of (-1)^j a_0j det (A without row 0 and column j). `rows[i][j]` is a_ij. */
function determinant(c: NodeContext, rows: readonly (readonly Value[])[]): Value {
  const [first, ...others] = rows;
  if (others.length === 0) return first[0];
  const terms = first.map((value, j) => {
    const minor = others.map((row) => row.filter((_, k) => k !== j));
    const term = c.mul(value, determinant(c, minor));
    return j % 2 === 0 ? term : c.neg(term);
  });
  return c.emit("Sum", terms);
}

const coupling: Coupling = {
  links(c) {
    const x = c.input(0);
    c.sameAll(x.slice(0, -2), c.output(0));
    c.boundAll(x.slice(-2), "takes its determinant");
  },
};

export const determinantOps = [
  withoutWeights(
    "Det",
    expansion((c) => {
      const dims = c.dims(c.input(0));
      const size = dims[dims.length - 1];
      if (size > largest) throw c.refusal(`there is no rule for more than ${largest} rows`);
      const cut = (value: Value, axis: number) => {
        const parts = c.emitMany("Split", [value, c.list(Array<number>(size).fill(1))], size, { axis: attr.int(axis) });
        return parts.map((part) => c.emit("Squeeze", [part, c.list([axis])]));
      };
      const rows = cut(c.input(0), -2).map((row) => cut(row, -1));
      return [c.emit("Identity", [determinant(c, rows)])];
    }),
    coupling,
  ),
];
