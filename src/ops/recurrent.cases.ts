import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const gates: Record<string, number> = { LSTM: 4, GRU: 3, RNN: 1 };

/** T 3, N 2, I 3, H 4. Outputs: Y, Y_h, and for LSTM Y_c. */
function recurrent(op: string, name: string, { directions = 1, states = false, peepholes = false } = {}): OpCase {
  const [time, batch, inputs, hidden, g] = [3, 2, 3, 4, gates[op]];
  return {
    op,
    name,
    build: (c) => {
      const state = () => (states ? c.float([directions, batch, hidden]) : null);
      const all = [
        c.float([time, batch, inputs]),
        c.float([directions, g * hidden, inputs]),
        c.float([directions, g * hidden, hidden]),
        c.float([directions, 2 * g * hidden]),
        null,
        state(),
        op === "LSTM" ? state() : null,
        peepholes ? c.float([directions, 3 * hidden]) : null,
      ];
      const used = peepholes ? 8 : states ? (op === "LSTM" ? 7 : 6) : 4;
      return c.emitMany(op, all.slice(0, used), op === "LSTM" ? 3 : 2, {
        hidden_size: attr.int(hidden),
        direction: attr.string(directions === 2 ? "bidirectional" : "forward"),
      });
    },
  };
}

export const recurrentCases: readonly OpCase[] = Object.keys(gates).flatMap((op) => [
  recurrent(op, "forward"),
  recurrent(op, "both directions, states given", { directions: 2, states: true }),
  ...(op === "LSTM" ? [recurrent(op, "peepholes", { states: true, peepholes: true })] : []),
]);
