import { expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { floatTensor, Tensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { liftConstants } from "./lift-constants.js";

it("makes initializers of constants of every kind, in bodies and as outputs too", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  const taken = b.input("taken", "bool", []);
  const weight = b.emit("Constant", [], { value: attr.tensor(floatTensor([2], [1, 2])) }, "weight");
  const sum = b.emit("Sum", [
    x,
    weight,
    b.emit("Constant", [], { value_float: attr.float(0.5) }),
    b.emit("Constant", [], { value_floats: attr.floats([3, 4]) }),
    b.emit("Cast", [b.emit("Constant", [], { value_int: attr.int(5) })], { to: attr.int(1) }),
  ]);
  const branch = (name: string, value: number) => {
    const body = createSubgraph(model.graph, name);
    const pen = new Builder(body, `${name}/`);
    const axes = pen.emit("Constant", [], { value_ints: attr.ints([0]) });
    addGraphOutput(body, pen.emit("Constant", [], { value: attr.tensor(floatTensor([], [value])) }, "result"));
    addGraphOutput(body, pen.emit("ReduceSum", [x, axes]));
    return attr.graph(body);
  };
  const chosen = b.emitMany("If", [taken], 2, { then_branch: branch("then", 7), else_branch: branch("else", 8) });
  for (const output of [sum, ...chosen, weight]) addGraphOutput(model.graph, output);

  const feeds = [0, 1].map((flag) => ({ x: ramp([2]), taken: Tensor.fromArray("bool", [], Uint8Array.of(flag)) }));
  const before = [await runModel(model, feeds[0]), await runModel(model, feeds[1])];
  expect(liftConstants(model)).toBe(8);
  expect(findFaults(model.graph)).toEqual([]);
  expect([...allNodes(model.graph)].map((node) => node.type)).not.toContain("Constant");
  expect(weight.initializer && toNumbers(weight.initializer)).toEqual([1, 2]);
  expect(model.graph.values.get("weight")?.name).toBe("weight");
  for (const [i, expected] of before.entries()) expectSameOutputs(await runModel(model, feeds[i]), expected);
  expect(liftConstants(model)).toBe(0);
});
