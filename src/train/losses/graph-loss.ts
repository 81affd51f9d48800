import { EspalierError, quoted } from "../../base/errors.js";
import { attr } from "../../graph/attribute.js";
import { copyContents } from "../../graph/clone.js";
import { freshName } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { mainOutput } from "../../graph/main-output.js";
import { prepareModel } from "../prepare.js";
import type { Loss, LossContext, TargetName } from "./loss.js";

/**
 * A loss given as an ONNX model. Its inputs go by their names: `output` is the first output of the network, `logits` what
 * stands before a final Softmax of it, `class`, `value`, `teacher` and `teacher/NAME` are targets, any other name is the
 * value of that name in the network. Its first output is lowered, the mean of it where it has several elements. Its
 * weights are not trained.
 * Throws `bad-model` for a loss without outputs.
 */
export function lossOfModel(model: Model): Loss {
  const name = model.graph.name === "" ? "the loss" : model.graph.name;
  mainOutput(model.graph);
  const inputs = model.graph.requiredInputs.map((input) => input.name);
  return {
    name,
    targets: inputs.filter(isTarget),
    values: inputs.filter((input) => !isTarget(input) && input !== "output" && input !== "logits"),
    emit(context) {
      const { builder: b } = context;
      const loss = prepareModel(model);
      const values = new Map<Value, Value>();
      for (const input of loss.graph.requiredInputs) values.set(input, valueFor(input.name, context));
      copyContents(loss.graph, b.graph, values, {
        value: (inner) => freshName(b.graph, `${b.prefix}loss/${inner}`),
        node: (inner) => `${b.prefix}loss/${inner}_${b.graph.model.nextId()}`,
      });
      const result = values.get(mainOutput(loss.graph));
      if (!result) throw new EspalierError("bad-model", `it does not compute its output`, { who: quoted(name) });
      return b.emit("ReduceMean", [result], { keepdims: attr.int(0) });
    },
  };
}

function isTarget(name: string): name is TargetName {
  return name === "class" || name === "value" || name === "teacher" || name.startsWith("teacher/");
}

function valueFor(name: string, context: LossContext): Value {
  if (name === "output") return context.output;
  if (name === "logits") return context.logits;
  return isTarget(name) ? context.target(name) : context.value(name);
}
