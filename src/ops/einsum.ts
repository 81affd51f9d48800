import { EspalierError, quoted } from "../base/errors.js";
import type { Node } from "../graph/ir.js";
import type { Axis } from "./axis.js";
import type { Coupling, CouplingContext } from "./coupling.js";
import { type CostContext, defineOp, expansion, type WeightInput } from "./define.js";
import { multiplyOut } from "./einsum-expansion.js";

// Einsum: letters name axes. Those of the output run along, the others are summed over.

/** The name of each axis, by operand and of the output. Axes that an ellipsis stands for are called .0, .1 and so on. */
interface Terms {
  operands: readonly (readonly string[])[];
  output: readonly string[];
}

/** `ij,jk->ik`, or without `->`: then the letters that appear once run along, in alphabetical order. */
function termsOf(node: Node, ranks: readonly number[]): Terms {
  const equation = node.string("equation", "").replaceAll(" ", "");
  const [left, right] = equation.split("->");
  const named = (term: string): string[] => [...(term.match(/\.\.\.|[A-Za-z]/g) ?? [])];
  const written = left.split(",").map(named);
  if (written.length !== ranks.length) {
    const what = `the equation ${quoted(equation)} has ${written.length} operands, the node ${ranks.length}`;
    throw new EspalierError("bad-model", what, { who: node.label });
  }
  const spread = written.map((term, i) => (term.includes("...") ? ranks[i] - term.length + 1 : 0));
  const most = Math.max(...spread);
  const expand = (term: readonly string[], count: number) =>
    term.flatMap((name) => (name === "..." ? Array.from({ length: count }, (_, i) => `.${most - count + i}`) : [name]));
  const all = written.flat().filter((name) => name !== "...");
  const once = [...new Set(all)].filter((name) => all.indexOf(name) === all.lastIndexOf(name)).sort();
  const output = right === undefined ? ["...", ...once] : named(right);
  return { operands: written.map((term, i) => expand(term, spread[i])), output: expand(output, most) };
}

/** Axes that every operand but one has and nobody has learned are what attention does side by side: heads. */
function markUnits(c: CouplingContext, { operands, output }: Terms, axisOf: ReadonlyMap<string, Axis>): void {
  const constant = operands.findIndex((_, i) => c.isConstant(i));
  for (const name of output) {
    const axis = axisOf.get(name);
    const holders = operands.flatMap((names, i) => (names.includes(name) ? [i] : []));
    if (!axis) continue;
    if (constant < 0 && holders.length > 1) c.unit(axis, "head");
    if (holders.length !== 1) continue;
    if (holders[0] === constant) c.unit(axis, "neuron");
    else if (constant < 0 && operands.length > 1 && holders[0] === operands.length - 1) c.unit(axis, "head-dim");
  }
}

const coupling: Coupling = {
  links(c) {
    const terms = termsOf(
      c.node,
      c.node.inputs.map((_, i) => c.input(i).length),
    );
    const axisOf = new Map<string, Axis>();
    for (const [i, axis] of c.output(0).entries()) axisOf.set(terms.output[i], axis);
    for (const [operand, names] of terms.operands.entries()) {
      for (const [i, axis] of c.input(operand).entries()) {
        const name = names[i];
        if (names.indexOf(name) !== i) c.bound(axis, "takes a diagonal of it");
        // What is broadcast has one position.
        if (axis.size === 1) continue;
        const known = axisOf.get(name);
        if (known) c.same(known, axis);
        else {
          axisOf.set(name, axis);
          c.sums(operand, i);
        }
      }
    }
    markUnits(c, terms, axisOf);
  },
};

/** Axes of an operand that only it gives to the output, and those that it is summed over with another. */
function weightsOf(node: Node): WeightInput[] {
  const terms = node.string("equation", "").split("->")[0].split(",");
  // Without its rank nothing is known of what an ellipsis stands for.
  const { operands, output } = termsOf(
    node,
    terms.map((term) => term.match(/[A-Za-z]/g)?.length ?? 0),
  );
  return operands.flatMap((names, input) => {
    const elsewhere = new Set(operands.filter((_, i) => i !== input).flat());
    const axes = (fits: (name: string) => boolean) => [...names.keys()].filter((axis) => fits(names[axis]));
    const outputs = axes((name) => output.includes(name) && !elsewhere.has(name));
    const inputs = axes((name) => !output.includes(name) && elsewhere.has(name));
    if (outputs.length === 0 || inputs.length === 0 || terms[input].includes("...")) return [];
    return Array.from({ length: Math.max(outputs.length, inputs.length) }, (_, i) => ({
      input,
      outputAxis: outputs[Math.min(i, outputs.length - 1)],
      inputAxis: inputs[Math.min(i, inputs.length - 1)],
    }));
  });
}

/** Operands are multiplied two at a time; what only one of them has, and nobody needs, is summed up before. */
function macsOf({ node, inputDims }: CostContext): number {
  const dims = node.inputs.map((_, i) => inputDims(i));
  const { operands, output } = termsOf(
    node,
    dims.map((each) => each.length),
  );
  const sizes = new Map<string, number>();
  for (const [operand, names] of operands.entries()) {
    for (const [i, name] of names.entries()) sizes.set(name, Math.max(sizes.get(name) ?? 1, dims[operand][i]));
  }
  let macs = 0;
  let before: readonly string[] = operands[0];
  for (const [i, names] of operands.entries()) {
    if (i === 0) continue;
    const needed = new Set([...operands.slice(i + 1).flat(), ...output]);
    const all = new Set([...before, ...names]);
    const multiplied = [...all].filter((name) => needed.has(name) || (before.includes(name) && names.includes(name)));
    macs += multiplied.reduce((product, name) => product * (sizes.get(name) ?? 1), 1);
    before = multiplied.filter((name) => needed.has(name));
  }
  return macs;
}

export const einsumOps = [
  defineOp({
    type: "Einsum",
    domain: "",
    gradient: expansion((c) => {
      const ranks = c.node.inputs.map((_, i) => c.dims(c.input(i)).length);
      const { operands, output } = termsOf(c.node, ranks);
      return [multiplyOut(c, operands, output)];
    }),
    coupling,
    weights: weightsOf,
    learnable: [0, 1],
    macs: macsOf,
  }),
];
