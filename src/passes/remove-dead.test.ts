import { expect, it } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { expectSameOutputs, ramp, runModel } from "../../test/support/run-model.js";
import { floatTensor, Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphInput, addGraphOutput, createSubgraph } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { allGraphs } from "../graph/walk.js";
import { removeDead } from "./remove-dead.js";

it("removes chains that nobody reads, and what only dead bodies read; inputs and outputs stay", async () => {
  const model = new Model(10, 21);
  const b = new Builder(model.graph);
  const x = b.input("x", "float", [2]);
  b.input("unused", "float", [2]);
  const taken = b.input("taken", "bool", []);
  const replaceable = b.constant(floatTensor([2], [0, 0]), "replaceable");
  addGraphInput(model.graph, replaceable);

  // Dead: exp, its constant, the node after it. Alive: both outputs of Split, one of which nobody reads.
  const exp = b.emit("Exp", [b.emit("Mul", [x, b.constant(floatTensor([2], [1, 2]), "dead weight")])]);
  b.emit("Neg", [exp]);
  const [first] = b.emitMany("Split", [x], 2, { num_outputs: attr.int(2) });
  const onlyForDead = b.emit("Abs", [x], {}, "only for dead");
  const branch = (name: string, sign: number) => {
    const body = createSubgraph(model.graph, name);
    const pen = new Builder(body, `${name}/`);
    pen.emit("Add", [onlyForDead, pen.constant(floatTensor([], [1]), "dead inside")]);
    addGraphOutput(body, pen.emit("Mul", [first, pen.constant(floatTensor([], [sign]))]));
    return attr.graph(body);
  };
  addGraphOutput(
    model.graph,
    b.emit("If", [taken], { then_branch: branch("then", 1), else_branch: branch("else", -1) }),
  );
  addGraphOutput(model.graph, b.constant(floatTensor([1], [3]), "constant output"));

  const feeds = { x: ramp([2]), unused: ramp([2]), taken: Tensor.fromArray("bool", [], Uint8Array.of(0)) };
  const before = await runModel(model, feeds);
  // Mul, Exp, Neg, Abs, two Adds; one weight outside and one in each body.
  expect(removeDead(model)).toBe(9);
  expect(findFaults(model.graph)).toEqual([]);
  expectSameOutputs(await runModel(model, feeds), before);
  const names = [...allGraphs(model.graph)].flatMap((graph) => [...graph.values.keys()]);
  expect(names.filter((name) => name.includes("dead"))).toEqual([]);
  expect(model.graph.inputs.map((input) => input.name)).toEqual(["x", "unused", "taken", "replaceable"]);
  expect(removeDead(model)).toBe(0);
});
