import { EspalierError, quoted } from "../base/errors.js";
import { setType } from "../graph/edit.js";
import type { Model, Value, ValueType } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";

/**
 * Gives graph inputs fixed dims. A symbolic dim that gets a size gets it wherever the model declares it. An input that
 * was fixed to another size is fixed anew; then of the dims declared for computed values only their number stays.
 * Whether the graph bears the new size (a Reshape may have the old one written into it) shows in a run.
 * @param dims by name of the input; inputs that are not named stay as they are.
 * @returns how many declared types changed.
 * Throws `bad-usage` for unknown inputs, another rank than declared, and two sizes for one symbolic dim.
 */
export function fixInputDims(model: Model, dims: Readonly<Record<string, readonly number[]>>): number {
  const sizes = new Map<string, number>();
  const fixed = new Map<Value, ValueType>();
  let refixed = false;
  for (const [name, wanted] of Object.entries(dims)) {
    const input = inputNamed(model, name);
    const { type } = input;
    if (!type) throw new EspalierError("unsupported", "the input is no tensor", { who: `input ${quoted(name)}` });
    if (type.dims && type.dims.length !== wanted.length) {
      throw new EspalierError("bad-usage", `the dims [${wanted}] do not fit the declared [${type.dims.join()}]`, {
        who: `input ${quoted(name)}`,
      });
    }
    for (const [axis, size] of wanted.entries()) {
      const declared = type.dims?.[axis];
      if (typeof declared === "number") refixed ||= declared !== size;
      if (typeof declared === "string") bind(sizes, declared, size, name);
    }
    fixed.set(input, { ...type, dims: wanted });
  }
  let changed = 0;
  for (const graph of allGraphs(model.graph)) {
    for (const value of graph.values.values()) {
      const given = value.initializer !== null || (value.isGraphInput && graph === model.graph);
      const type = fixed.get(value) ?? (value.type && substitute(value.type, sizes, refixed && !given));
      if (!type || sameDims(type.dims, value.type?.dims)) continue;
      setType(value, type);
      changed++;
    }
  }
  return changed;
}

function inputNamed(model: Model, name: string): Value {
  const input = model.graph.inputs.find((candidate) => candidate.name === name);
  if (input) return input;
  const known = model.graph.inputs.map((candidate) => quoted(candidate.name)).join(", ");
  throw new EspalierError("bad-usage", `the model has no input ${quoted(name)}`, { hint: `Its inputs are ${known}.` });
}

function bind(sizes: Map<string, number>, symbol: string, size: number, input: string): void {
  const before = sizes.get(symbol) ?? size;
  sizes.set(symbol, size);
  if (before === size) return;
  throw new EspalierError("bad-usage", `the dim ${quoted(symbol)} would be both ${before} and ${size}`, {
    who: `input ${quoted(input)}`,
    hint: "Dims of one name have one size.",
  });
}

function substitute(type: ValueType, sizes: ReadonlyMap<string, number>, drop: boolean): ValueType {
  if (drop) return { ...type, dims: type.dims?.map(() => null) ?? null };
  return { ...type, dims: type.dims?.map((dim) => (typeof dim === "string" ? (sizes.get(dim) ?? dim) : dim)) ?? null };
}

function sameDims(a: ValueType["dims"], b: ValueType["dims"] | undefined): boolean {
  if (!a || !b) return a === (b ?? null);
  return a.length === b.length && a.every((dim, axis) => dim === b[axis]);
}
