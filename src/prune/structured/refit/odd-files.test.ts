import { expect, it } from "vitest";
import { Net } from "../../../../test/support/cut-model.js";
import { examples } from "../../../../test/support/examples.js";
import { addNode, addValue, setType } from "../../../graph/edit.js";
import type { Value } from "../../../graph/ir.js";
import { nodeEngine } from "../../../run/node.js";
import { l1 } from "../criteria/norm.js";
import { pruneStructured } from "../prune-structured.js";
import type { RefitResult } from "./refit.js";

const seed = 73;

it("fits networks whose nodes have no names, and whose inner sizes share one", async () => {
  const net = new Net(seed);
  const { graph } = net.model;
  const nameless = (type: string, inputs: readonly Value[]): Value => {
    const output = addValue(graph, `${type}${graph.nodes.size}`);
    addNode(graph, type, { inputs, outputs: [output] });
    // As shape inference writes it: a name for what it does not know, here the same for 8 units and for 6.
    setType(output, { dtype: "float", dims: ["batch", "unknown"] });
    return output;
  };
  const h = nameless("Relu", [nameless("MatMul", [net.input(["batch", 5]), net.weight("a", [5, 8])])]);
  const model = net.output(
    nameless("MatMul", [nameless("MatMul", [h, net.weight("b", [8, 6])]), net.weight("c", [6, 3])]),
  );
  const fits: RefitResult[] = [];
  await pruneStructured(model, {
    engine: nodeEngine,
    criterion: l1(),
    goal: { sparsity: 0.5 },
    roundTo: 1,
    recovery: { data: examples(256, [5], seed), epochs: 0 },
    refit: true,
    onRefit: (result) => fits.push(result),
  });
  expect(fits[0].skipped).toEqual([]);
  expect(fits[0].refitted.map(({ name }) => name)).toEqual(["b", "c"]);
  for (const { before, after } of fits[0].refitted) expect(after, `seed ${seed}`).toBeLessThan(0.9 * before);
});
