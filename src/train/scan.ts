import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { copyContents } from "../graph/clone.js";
import { addGraphInput, addGraphOutput, addNode, createSubgraph, setOpsets, setOrigin } from "../graph/edit.js";
import { Model, type Value, type ValueType } from "../graph/ir.js";

/**
 * A model that takes as many steps in one run as it is given inputs for: `step` becomes the body of a Scan.
 * What `carried` pairs (an input, and the output that replaces it) goes from step to step; the inputs `shared` are the
 * same for all; every other input and output gets a first axis, "steps". All keep their names. Types must be known.
 *
 * A step of a small network takes about a millisecond, and onnxruntime's JavaScript copies every output into new memory:
 * for weights and an optimizer's two averages that is a third of the time. Within a Scan they stay where they are.
 */
export function scanSteps(
  step: Model,
  carried: readonly { input: string; output: string }[],
  shared: readonly string[],
): Model {
  const model = new Model(step.irVersion, step.opset, step.graph.name);
  setOpsets(model, step.opsets);
  setOrigin(model, step.origin);
  const b = new Builder(model.graph);
  const outer = (value: Value, type: ValueType) => b.input(value.name, type.dtype, type.dims ?? []);
  const named = (values: readonly Value[], name: string) => {
    const value = values.find((candidate) => candidate.name === name);
    if (!value) throw new Error(`a step without '${name}'`);
    return value;
  };
  const { inputs, outputs } = step.graph;
  const states = carried.map(({ input }) => named(inputs, input));
  const replaced = carried.map(({ output }) => named(outputs, output));
  const same = shared.map((name) => named(inputs, name));
  const scanned = inputs.filter((value) => !states.includes(value) && !same.includes(value));
  const stacked = outputs.filter((value) => !replaced.includes(value));

  const copies = new Map(same.map((value) => [value, outer(value, typeOf(value))]));
  const given = [
    ...states.map((value) => outer(value, typeOf(value))),
    ...scanned.map((value) => outer(value, withSteps(typeOf(value)))),
  ];
  const body = createSubgraph(model.graph, "step");
  const inStep = (name: string) => `step/${name}`;
  // Names of nodes may be empty, but not twice the same.
  copyContents(step.graph, body, copies, { value: inStep, node: (name) => name && inStep(name) });
  for (const value of [...states, ...scanned]) addGraphInput(body, copies.get(value) ?? value);
  for (const value of [...replaced, ...stacked]) addGraphOutput(body, copies.get(value) ?? value);
  const results = [
    ...replaced.map((value) => b.value(value.name, typeOf(value))),
    ...stacked.map((value) => b.value(value.name, withSteps(typeOf(value)))),
  ];
  const attributes = { body: attr.graph(body), num_scan_inputs: attr.int(scanned.length) };
  addNode(model.graph, "Scan", { inputs: given, outputs: results, attributes });
  for (const result of results) addGraphOutput(model.graph, result);
  return model;
}

function typeOf({ name, type }: Value): ValueType {
  if (!type) throw new Error(`'${name}' of a step has no type`);
  return type;
}

function withSteps({ dtype, dims }: ValueType): ValueType {
  return { dtype, dims: ["steps", ...(dims ?? [])] };
}
