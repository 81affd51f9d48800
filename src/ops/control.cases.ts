import { floatTensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { Builder } from "../graph/builder.js";
import { addGraphOutput, createSubgraph } from "../graph/edit.js";
import type { Attribute, Value } from "../graph/ir.js";
import type { CaseBuilder, OpCase } from "./op.cases.js";

/** A body of which every float input has the given dims. */
function body(
  c: CaseBuilder,
  name: string,
  inputs: Readonly<Record<string, readonly number[]>>,
  build: (b: Builder, ...values: Value[]) => readonly Value[],
  first: (b: Builder) => void = () => {},
): Attribute {
  const graph = createSubgraph(c.graph, name);
  const b = new Builder(graph);
  first(b);
  const values = Object.entries(inputs).map(([input, dims]) => b.input(input, "float", dims));
  for (const output of build(b, ...values)) addGraphOutput(graph, output);
  return attr.graph(graph);
}

/** What every body of a Loop reads first. */
const stepAndCondition = (b: Builder) => {
  b.input("step", "int64", []);
  b.input("goes_on", "bool", []);
};

export const controlCases: readonly OpCase[] = [
  ...[true, false].map((taken) => ({
    op: "If",
    name: `a value around it in both branches, ${taken ? "the first" : "the second"} is taken`,
    build: (c: CaseBuilder) => {
      const [x, w] = [c.float([2, 6]), c.float([6])];
      return c.emit("If", [c.bool([taken], [])], {
        then_branch: body(c, "then", {}, (b) => [b.emit("Mul", [b.emit("Tanh", [x]), w])]),
        else_branch: body(c, "else", {}, (b) => [b.emit("Sub", [x, b.emit("Add", [w, x])])]),
      });
    },
  })),
  {
    op: "If",
    name: "one branch squeezes",
    build: (c) => {
      const x = c.float([2, 6, 1]);
      return c.emit("If", [c.bool([true], [])], {
        then_branch: body(c, "then", {}, (b) => [b.emit("Squeeze", [x, b.ints([2])])]),
        else_branch: body(c, "else", {}, (b) => [b.emit("Identity", [x])]),
      });
    },
  },
  {
    op: "Loop",
    name: "a state and what it was in every step",
    build: (c) => {
      const [x, h] = [c.float([2, 5]), c.float([2, 5])];
      const attributes = {
        body: body(
          c,
          "step",
          { before: [2, 5] },
          (b, before) => {
            const after = b.emit("Tanh", [b.emit("Add", [b.emit("Mul", [before, b.scalar(0.5)]), x])]);
            const goesOn = b.emit("Identity", [b.graph.inputs[1]]);
            return [goesOn, after, b.emit("Neg", [after])];
          },
          stepAndCondition,
        ),
      };
      return c.emitMany("Loop", [c.int64([3], []), c.bool([true], []), h], 2, attributes);
    },
  },
  {
    op: "Scan",
    name: "a state, rows and columns",
    build: (c) => {
      const [h, rows, columns] = [c.float([4]), c.float([3, 4]), c.float([4, 3])];
      return c.emitMany("Scan", [h, rows, columns], 3, {
        num_scan_inputs: attr.int(2),
        scan_input_axes: attr.ints([0, -1]),
        scan_output_axes: attr.ints([0, 1]),
        body: body(c, "step", { before: [4], row: [4], column: [4] }, (b, before, row, column) => {
          const after = b.emit("Tanh", [b.emit("Add", [before, b.emit("Mul", [row, column])])]);
          return [after, b.emit("Neg", [after]), b.emit("Sub", [after, row])];
        }),
      });
    },
  },
  {
    op: "Scan",
    name: "backward, what is around it read in every step",
    build: (c) => {
      const [h, rows, w] = [c.float([4]), c.float([3, 4]), c.float([4])];
      const directions = { scan_input_directions: attr.ints([1]), scan_output_directions: attr.ints([1]) };
      return c.emitMany("Scan", [h, rows], 2, {
        num_scan_inputs: attr.int(1),
        ...directions,
        body: body(c, "step", { before: [4], row: [4] }, (b, before, row) => {
          const after = b.emit("Tanh", [b.emit("Add", [b.emit("Mul", [before, w]), row])]);
          return [after, b.emit("Mul", [after, b.constant(floatTensor([4], [1, -2, 0.5, 3]))])];
        }),
      });
    },
  },
  {
    op: "Loop",
    name: "no step",
    build: (c) =>
      c.emitMany("Loop", [c.int64([0], []), c.bool([true], []), c.float([2, 5])], 1, {
        body: body(
          c,
          "step",
          { before: [2, 5] },
          (b, before) => [b.graph.inputs[1], b.emit("Neg", [before])],
          stepAndCondition,
        ),
      }),
  },
];
