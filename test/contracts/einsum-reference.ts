import type { Tensor } from "../../src/base/tensor.js";
import type { Node } from "../../src/graph/ir.js";
import { type Counter, Grid, indices } from "./grid.js";

/** What Einsum computes, two operands at a time; letters of one operand that nobody else needs are summed up before. */
export function einsum(node: Node, inputs: readonly Tensor[], count: Counter): number[] {
  type Term = { names: readonly string[]; elements: Map<string, number> };
  const size = new Map<string, number>();
  const [left, right] = node.string("equation", "").replaceAll(" ", "").split("->");
  const spread = left.split(",").map((term, i) => inputs[i].dims.length - term.replace("...", "").length);
  const named = (term: string, count: number) => [...term.replace("...", "012".slice(0, count))];
  const namesOf = left
    .split(",")
    .map((term, i) =>
      named(term, spread[i]).map((name) =>
        /\d/.test(name) ? `${Number(name) + Math.max(...spread) - spread[i]}` : name,
      ),
    );
  for (const [i, names] of namesOf.entries()) {
    for (const [axis, name] of names.entries()) size.set(name, Math.max(size.get(name) ?? 1, inputs[i].dims[axis]));
  }
  const terms: Term[] = namesOf.map((names, i) => {
    const grid = new Grid(inputs[i]);
    const elements = new Map<string, number>();
    const distinct = [...new Set(names)];
    for (const index of indices(distinct.map((name) => size.get(name) ?? 1))) {
      const position = names.map((name, axis) => (grid.dims[axis] === 1 ? 0 : index[distinct.indexOf(name)]));
      elements.set(index.join(), grid.at(position));
    }
    return { names: distinct, elements };
  });
  const all = namesOf.flat().filter((name) => !/\d/.test(name));
  const once = [...new Set(all)].filter((name) => all.indexOf(name) === all.lastIndexOf(name)).sort();
  const output =
    right === undefined ? [...named("...", Math.max(...spread)), ...once] : named(right, Math.max(...spread));
  const restricted = ({ names, elements }: Term, kept: readonly string[]): Term => {
    const sums = new Map<string, number>();
    for (const index of indices(names.map((name) => size.get(name) ?? 1))) {
      const key = kept.map((name) => index[names.indexOf(name)]).join();
      sums.set(key, (sums.get(key) ?? 0) + (elements.get(index.join()) ?? 0));
    }
    return { names: kept, elements: sums };
  };
  const result = terms.reduce((a, b) => {
    const later = [...terms.slice(terms.indexOf(b) + 1).flatMap(({ names }) => names), ...output];
    const [x, y] = [
      restricted(
        a,
        a.names.filter((name) => later.includes(name) || b.names.includes(name)),
      ),
      restricted(
        b,
        b.names.filter((name) => later.includes(name) || a.names.includes(name)),
      ),
    ];
    const both = [...new Set([...x.names, ...y.names])];
    const elements = new Map<string, number>();
    for (const index of indices(both.map((name) => size.get(name) ?? 1))) {
      const read = ({ names, elements: of }: Term) =>
        of.get(names.map((name) => index[both.indexOf(name)]).join()) ?? 0;
      elements.set(index.join(), count.multiply(read(x), read(y)));
    }
    return restricted(
      { names: both, elements },
      both.filter((name) => later.includes(name)),
    );
  });
  const { elements } = restricted(result, output);
  return [...indices(output.map((name) => size.get(name) ?? 1))].map((index) => elements.get(index.join()) ?? 0);
}
