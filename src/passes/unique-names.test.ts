import { expect, it } from "vitest";
import { Net } from "../../test/support/cut-model.js";
import { runModel } from "../../test/support/run-model.js";
import { floatTensor, toFloat32 } from "../base/tensor.js";
import { addInitializer, addNode, addValue } from "../graph/edit.js";
import { allGraphs } from "../graph/walk.js";
import { makeNamesUnique } from "./unique-names.js";

it("tells values of two branches apart that have one name, and changes nothing else", async () => {
  const net = new Net(1);
  const x = net.input([2]);
  const branch = (name: string, factor: number) =>
    net.body(name, ({ b: { graph } }) => {
      const weight = addInitializer(graph, "w", floatTensor([1], [factor]));
      const output = addValue(graph, "y");
      addNode(graph, "Mul", { inputs: [x, weight], outputs: [output] });
      return [output];
    });
  const y = net.b.emit("If", [net.isPositive(x)], { then_branch: branch("then", 2), else_branch: branch("else", 3) });
  const model = net.output(y);
  expect(makeNamesUnique(model)).toEqual(
    new Map([
      ["w_0", "w"],
      ["y_1", "y"],
    ]),
  );
  expect(makeNamesUnique(model).size).toBe(0);
  const names = [...allGraphs(model.graph)].flatMap((graph) => [...graph.values.keys()]);
  expect(new Set(names).size).toBe(names.length);
  for (const [sign, factor] of [
    [1, 2],
    [-1, 3],
  ]) {
    const [output] = Object.values(await runModel(model, { input: floatTensor([2], [sign, sign * 5]) }));
    expect([...toFloat32(output)]).toEqual([sign * factor, sign * 5 * factor]);
  }
});
