import type { Coupling } from "./coupling.js";
import { defineOp } from "./define.js";
import { recurrentLinear } from "./linear-products.js";
import { gruBackward, lstmBackward, rnnBackward } from "./recurrent-cells.js";
import { type RecurrentKind, recurrentGradient } from "./recurrent-gradient.js";
import { sizeAfter } from "./repair.js";

/**
 * LSTM, GRU and RNN: hidden unit j is row j of every gate in W, R and B, column j of R, and element j of every state.
 * Both directions lose the same units.
 * X [T, N, I], W [D, gates H, I], R [D, gates H, H], B [D, 2 gates H], states [D, N, H], Y [T, D, N, H]; with layout 1
 * the batch comes first.
 * @param gates 4 for LSTM, 3 for GRU, 1 for RNN
 */
function recurrentCoupling(gates: number): Coupling {
  return {
    links(c) {
      const [x, w, r, b] = [0, 1, 2, 3].map((index) => c.input(index));
      const batchFirst = c.node.int("layout", 0) === 1;
      const [time, batch] = batchFirst ? [x[1], x[0]] : [x[0], x[1]];
      const directions = w[0];
      const hidden = r[2];
      const gate = c.own(gates, "the gates");
      c.withoutUnits([gate, directions]);
      c.bound(time, "goes along it");
      c.same(r[0], directions);
      c.product([w[1]], [gate, hidden]);
      c.product([r[1]], [gate, hidden]);
      c.same(x[2], w[2]);
      c.sums(0, 2);
      c.sums(2, 2);
      c.unit(hidden, "hidden");
      if (b.length > 0) {
        const both = c.own(2, "the two biases");
        c.withoutUnits([both]);
        c.same(b[0], directions);
        c.product([b[1]], [both, gate, hidden]);
      }
      c.sameAll(c.input(4), [batch]);
      const state = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
      for (const index of [5, 6]) c.sameAll(c.input(index), state);
      const peepholes = c.input(7);
      if (peepholes.length > 0) {
        const each = c.own(3, "the peepholes");
        c.withoutUnits([each]);
        c.same(peepholes[0], directions);
        c.product([peepholes[1]], [each, hidden]);
      }
      const sequence = batchFirst ? [batch, time, directions, hidden] : [time, directions, batch, hidden];
      c.sameAll(c.output(0), sequence);
      for (const index of [1, 2]) c.sameAll(c.output(index), state);
    },
    repair: (r) => r.setInt("hidden_size", sizeAfter(r.input(2)[2])),
  };
}

const recurrent = (type: string, kind: RecurrentKind) =>
  defineOp({
    type,
    domain: "",
    gradient: recurrentGradient(kind),
    coupling: recurrentCoupling(kind.gates),
    weights: () => [
      { input: 1, outputAxis: 1, inputAxis: 2 },
      { input: 2, outputAxis: 1, inputAxis: 2 },
    ],
    linear: recurrentLinear,
    learnable: [1, 2, 3],
    macs: ({ inputDims }) => {
      const [first, second] = inputDims(0);
      const size = (dims: readonly number[]) => dims.reduce((a, b) => a * b, 1);
      return first * second * (size(inputDims(1)) + size(inputDims(2)));
    },
  });

export const recurrentOps = [
  recurrent("LSTM", { gates: 4, activations: ["Sigmoid", "Tanh", "Tanh"], hasCell: true, backward: lstmBackward }),
  recurrent("GRU", { gates: 3, activations: ["Sigmoid", "Tanh"], hasCell: false, backward: gruBackward }),
  recurrent("RNN", { gates: 1, activations: ["Tanh"], hasCell: false, backward: rnnBackward }),
];
