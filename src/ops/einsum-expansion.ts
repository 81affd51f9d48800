import { fromNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { NodeContext } from "./node-context.js";

/** What an Einsum multiplies: a value, and the name and size of each of its axes. */
interface Operand {
  value: Value;
  names: readonly string[];
  sizes: readonly number[];
}

/**
 * An Einsum as products of matrices, two operands at a time.
 * @param operands names of the axes of each operand, `output` of what they give.
 */
export function multiplyOut(
  c: NodeContext,
  operands: readonly (readonly string[])[],
  output: readonly string[],
): Value {
  const [first, ...others] = operands.map((names, i) => {
    const value = c.input(i);
    return withoutDiagonals(c, { value, names, sizes: c.dims(value) });
  });
  let product = first;
  for (const [i, other] of others.entries()) {
    const wanted = new Set([...others.slice(i + 1).flatMap(({ names }) => names), ...output]);
    product = multiply(c, product, other, wanted);
  }
  const { value, names } = summed(c, product, (name) => !output.includes(name));
  // A new value also where nothing is left to do.
  return c.emit("Transpose", [value], { perm: attr.ints(output.map((name) => names.indexOf(name))) });
}

/** The diagonal of two axes of one name: all but it times 0, then the second summed up. */
function withoutDiagonals(c: NodeContext, operand: Operand): Operand {
  const second = operand.names.findIndex((name, i) => operand.names.indexOf(name) < i);
  if (second < 0) return operand;
  const first = operand.names.indexOf(operand.names[second]);
  const size = operand.sizes[second];
  const dims = operand.sizes.map((each, i) => (i === first || i === second ? each : 1));
  const eye = Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) === 0));
  const kept = c.mul(operand.value, c.constant(fromNumbers(c.floatType, dims, eye)));
  return withoutDiagonals(c, sumOver(c, { ...operand, value: kept }, [second]));
}

function sumOver(c: NodeContext, { value, names, sizes }: Operand, axes: readonly number[]): Operand {
  if (axes.length === 0) return { value, names, sizes };
  const stays = <T>(list: readonly T[]) => list.filter((_, i) => !axes.includes(i));
  const sum = c.emit("ReduceSum", [value, c.list(axes)], { keepdims: attr.int(0) });
  return { value: sum, names: stays(names), sizes: stays(sizes) };
}

const summed = (c: NodeContext, operand: Operand, gone: (name: string) => boolean): Operand =>
  sumOver(
    c,
    operand,
    operand.names.flatMap((name, i) => (gone(name) ? [i] : [])),
  );

/**
 * The product of two operands, over the names that nobody wants: as MatMul of [both.., A, over] and [both.., over, B],
 * where `both` are names that both have and somebody wants, A and B those that one of them has.
 */
function multiply(c: NodeContext, left: Operand, right: Operand, wanted: ReadonlySet<string>): Operand {
  const a = summed(c, left, (name) => !wanted.has(name) && !right.names.includes(name));
  const b = summed(c, right, (name) => !wanted.has(name) && !a.names.includes(name));
  const sizeIn = ({ names, sizes }: Operand, name: string) => sizes[names.indexOf(name)];
  const shared = a.names.filter((name) => b.names.includes(name));
  const both = shared.filter((name) => wanted.has(name));
  // An axis of one position against one of many is broadcast: the many are summed up first.
  const over = shared.filter((name) => !wanted.has(name));
  const narrow = over.filter((name) => sizeIn(a, name) !== sizeIn(b, name));
  if (narrow.length > 0) {
    const shrunk = (operand: Operand) => summed(c, operand, (name) => narrow.includes(name));
    return multiply(c, shrunk(a), shrunk(b), wanted);
  }
  const alone = (one: Operand, other: Operand) => one.names.filter((name) => !other.names.includes(name));
  const [onlyA, onlyB] = [alone(a, b), alone(b, a)];
  const count = (operand: Operand, names: readonly string[]) => names.reduce((n, name) => n * sizeIn(operand, name), 1);
  const matrix = (operand: Operand, ...parts: readonly (readonly string[])[]): Value => {
    const perm = [...both, ...parts.flat()].map((name) => operand.names.indexOf(name));
    const ordered = c.emit("Transpose", [operand.value], { perm: attr.ints(perm) });
    const sizes = both.map((name) => sizeIn(operand, name));
    return c.reshape(ordered, [...sizes, ...parts.map((names) => count(operand, names))]);
  };
  const value = c.emit("MatMul", [matrix(a, onlyA, over), matrix(b, over, onlyB)]);
  const names = [...both, ...onlyA, ...onlyB];
  const sizes = [
    ...both.map((name) => Math.max(sizeIn(a, name), sizeIn(b, name))),
    ...onlyA.map((name) => sizeIn(a, name)),
    ...onlyB.map((name) => sizeIn(b, name)),
  ];
  return { value: c.reshape(value, sizes), names, sizes };
}
