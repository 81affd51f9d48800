import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { addGraphInput, addGraphOutput, addValue, createSubgraph } from "../../graph/edit.js";
import type { OldForm } from "./old-form.cases.js";

export const scanForms: readonly OldForm[] = [
  {
    name: "Scan for every example of a batch, one input from its end",
    opsets: [8],
    build: (c) => {
      const body = createSubgraph(c.graph, "body");
      const names = ["state_in", "a_in", "b_in"];
      const [state, a, b] = names.map((name) => addValue(body, name, { dtype: "float", dims: [2] }));
      for (const value of [state, a, b]) addGraphInput(body, value);
      const pen = new Builder(body);
      // A value from around the body, and an operator whose form changed.
      const factor = c.fixed([2], [0.5, 2]);
      const next = pen.emit("Add", [pen.emit("Mul", [state, factor]), pen.emit("Clip", [a], { min: attr.float(0) })]);
      for (const value of [next, pen.emit("Sub", [next, b])]) addGraphOutput(body, value);
      return c.emitMany("Scan", [null, c.float([3, 2]), c.float([3, 4, 2]), c.float([3, 4, 2])], 2, {
        body: attr.graph(body),
        num_scan_inputs: attr.int(2),
        directions: attr.ints([0, 1]),
      });
    },
  },
];
