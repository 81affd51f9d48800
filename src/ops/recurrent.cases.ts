import { Tensor } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import type { Attributes } from "../graph/ir.js";
import type { OpCase } from "./op.cases.js";

const gates: Record<string, number> = { LSTM: 4, GRU: 3, RNN: 1 };

/** T 3, N 2, I 3, H 4. Outputs: Y, Y_h, and for LSTM Y_c. */
function recurrent(
  op: string,
  name: string,
  {
    directions = 1,
    states = false,
    peepholes = false,
    bias = true,
    time = 3,
    lengths = null as readonly number[] | null,
    attributes = {} as Attributes,
  } = {},
): OpCase {
  const [batch, inputs, hidden, g] = [2, 3, 4, gates[op]];
  return {
    op,
    name,
    build: (c) => {
      const state = () => (states ? c.float([directions, batch, hidden]) : null);
      const all = [
        c.float([time, batch, inputs]),
        c.float([directions, g * hidden, inputs]),
        c.float([directions, g * hidden, hidden]),
        bias ? c.float([directions, 2 * g * hidden]) : null,
        lengths && c.constant(Tensor.fromArray("int32", [batch], Int32Array.from(lengths))),
        state(),
        op === "LSTM" ? state() : null,
        peepholes ? c.float([directions, 3 * hidden]) : null,
      ];
      const used = peepholes ? 8 : states ? (op === "LSTM" ? 7 : 6) : lengths ? 5 : bias ? 4 : 3;
      return c.emitMany(op, all.slice(0, used), op === "LSTM" ? 3 : 2, {
        hidden_size: attr.int(hidden),
        direction: attr.string(directions === 2 ? "bidirectional" : "forward"),
        ...attributes,
      });
    },
  };
}

/** Of both directions. */
const otherActivations: Record<string, Attributes> = {
  LSTM: {
    activations: attr.strings(["HardSigmoid", "Softsign", "ScaledTanh", "Sigmoid", "Affine", "Softplus"]),
    activation_alpha: attr.floats([0.3, 0.8, 0.9]),
    activation_beta: attr.floats([0.4, 0.7, 0.1]),
  },
  GRU: { activations: attr.strings(["Sigmoid", "Softsign", "Sigmoid", "Softplus"]) },
  RNN: {
    activations: attr.strings(["Affine", "ScaledTanh"]),
    activation_alpha: attr.floats([0.4, 0.8]),
    activation_beta: attr.floats([0.1, 0.9]),
  },
};

/** Two units above 0 and two below it, far from where the activations have no slope. */
const withKinks: OpCase = {
  op: "RNN",
  name: "activations with kinks",
  build: (c) => {
    const w = c.fixed([2, 4, 3], [...signed, ...signed]);
    const r = c.fixed([2, 4, 4], Array<number>(32).fill(0.01));
    return c.emitMany("RNN", [c.float([3, 2, 3], { low: 0.5, high: 1.5 }), w, r], 2, {
      hidden_size: attr.int(4),
      direction: attr.string("bidirectional"),
      activations: attr.strings(["LeakyRelu", "Relu"]),
      activation_alpha: attr.floats([0.2]),
    });
  },
};
const signed = [1, 0.5, 0.7, -1, -0.4, -0.6, 0.3, 0.2, 0.9, -0.8, -0.5, -0.2];

export const recurrentCases: readonly OpCase[] = Object.keys(gates).flatMap((op) => [
  recurrent(op, "forward"),
  recurrent(op, "both directions, states given", { directions: 2, states: true }),
  ...(op === "LSTM" ? [recurrent(op, "peepholes", { states: true, peepholes: true })] : []),
]);

/** Beyond what the references in plain numbers compute. */
export const recurrentVariants: readonly OpCase[] = [
  withKinks,
  recurrent("GRU", "reset after", { directions: 2, attributes: { linear_before_reset: attr.int(1) } }),
  ...Object.keys(gates).flatMap((op) => [
    recurrent(op, "backwards, without biases", { bias: false, attributes: { direction: attr.string("reverse") } }),
    recurrent(op, "one step", { time: 1, states: true }),
    recurrent(op, "both directions, examples that end early", {
      directions: 2,
      states: true,
      time: 4,
      lengths: [4, 2],
    }),
    recurrent(op, "other activations", { directions: 2, attributes: otherActivations[op] }),
  ]),
];
