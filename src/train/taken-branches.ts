import { fromNumbers, toNumbers } from "../base/tensor.js";
import { Builder } from "../graph/builder.js";
import { cloneModel } from "../graph/clone.js";
import { constantOf } from "../graph/constant.js";
import { setGraphOutputs, setInput, setType } from "../graph/edit.js";
import type { Model, Node, Value } from "../graph/ir.js";
import { allNodes } from "../graph/walk.js";
import { modelBytes } from "../onnx/write.js";
import { choiceOf } from "../ops/borders.js";
import { inlineBranches } from "../passes/inline-branches.js";
import { removeDead } from "../passes/remove-dead.js";
import type { Engine, Tensors } from "../run/session.js";

/**
 * Puts the branches that examples take in the place of their Ifs, since onnxruntime shows nothing of what happens in a
 * body. The model then computes the same on these examples. A branch stays where examples take both, and in bodies of Loop
 * and Scan.
 * Values keep their names; in a model where each has its own, that is how they are found afterwards.
 * @param model changed in place
 * @param batches gives the same examples each time. They are gone through once for each depth of nesting.
 */
export async function takeBranches(
  model: Model,
  batches: () => AsyncIterable<Tensors>,
  { engine, threads }: { engine: Engine; threads?: number },
): Promise<void> {
  const { graph } = model;
  const undecided = new Set<Node>();
  for (;;) {
    for (const node of allNodes(graph)) if (constantOf(choiceOf(node))) keepNames(node);
    inlineBranches(model);
    const open = [...graph.nodes].flatMap((node) => {
      const condition = undecided.has(node) ? null : choiceOf(node);
      return condition ? [{ node, condition }] : [];
    });
    if (open.length === 0) break;
    const conditions = [...new Set(open.map(({ condition }) => condition))];
    const choices = await choicesOf(model, conditions, batches, { engine, threads });
    const b = new Builder(graph, "taken/");
    for (const { node, condition } of open) {
      const choice = choices.get(condition);
      if (choice === undefined) undecided.add(node);
      else setInput(node, 0, b.constant(fromNumbers("bool", [], [choice])));
    }
  }
  removeDead(model);
}

/** What a branch gives would get the name of what the If gives. */
function keepNames(node: Node): void {
  for (const body of node.subgraphs) {
    const b = new Builder(body, "taken/");
    setGraphOutputs(
      body,
      body.outputs.map((output) => b.emit("Identity", [output])),
    );
  }
}

/** What each condition is for all examples; nothing where it differs. */
async function choicesOf(
  model: Model,
  conditions: readonly Value[],
  batches: () => AsyncIterable<Tensors>,
  { engine, threads }: { engine: Engine; threads?: number },
): Promise<Map<Value, number>> {
  const { model: copy, values } = cloneModel(model);
  const b = new Builder(copy.graph, "taken/");
  const seen = conditions.map((value) => {
    const output = b.emit("Identity", [values.get(value) ?? value]);
    setType(output, { dtype: "bool", dims: null });
    return { value, output, choices: new Set<number>() };
  });
  setGraphOutputs(
    copy.graph,
    seen.map(({ output }) => output),
  );
  removeDead(copy);
  const session = await engine.load(modelBytes(copy), { threads });
  try {
    for await (const feeds of batches()) {
      const results = await session.run(feeds);
      for (const { output, choices } of seen) for (const choice of toNumbers(results[output.name])) choices.add(choice);
    }
  } finally {
    await session.release();
  }
  return new Map(
    seen.flatMap(({ value, choices: [choice, ...others] }) =>
      choice !== undefined && others.length === 0 ? [[value, choice] as const] : [],
    ),
  );
}
