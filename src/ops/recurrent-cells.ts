import { attr } from "../graph/attribute.js";
import type { Value } from "../graph/ir.js";
import type { GradientContext } from "./gradient-context.js";
import { type Backward, type Direction, splitSteps } from "./recurrent-gradient.js";

// The steps of LSTM, GRU and RNN, backwards. Names: z what flows into a gate, before the activation.

const join = (g: GradientContext, parts: readonly Value[], axis: number): Value =>
  parts.length === 1 ? parts[0] : g.emit("Concat", parts, { axis: attr.int(axis) });

const halves = (g: GradientContext, value: Value, axis: number, count: number): Value[] =>
  g.emitMany("Split", [value], count, { axis: attr.int(axis), num_outputs: attr.int(count) });

const productOf = (g: GradientContext, a: Value, matrix: Value) => g.emit("MatMul", [a, g.emit("Transpose", [matrix])]);

/** h = f(z). */
export function rnnBackward(g: GradientContext, of: Direction): Backward {
  const { products, before, r, biases, steps, activations } = of;
  const [f] = activations;
  const bias = biases ? [g.add(biases[0], biases[1])] : [];
  const z = [g.add(products, productOf(g, before, r)), ...bias].reduce((a, b) => g.add(a, b));
  const slopes = splitSteps(g, f.slope(g, f.apply(g, z)), steps);
  return {
    read: [before],
    step({ state }, t) {
      const gates = g.mul(state, slopes[t]);
      return { gates, state: g.emit("MatMul", [gates, r]), cell: null };
    },
  };
}

/**
 * i, o, f = sigma(z), c~ = tau(z) (gates in ONNX's order i, o, f, c), c = f c' + i c~, h = o eta(c). With e = eta(c):
 *   dc += dh o eta'(e), dz_o = dh e sigma'(o), dz_i = dc c~ sigma'(i), dz_f = dc c' sigma'(f), dz_c = dc i tau'(c~),
 *   dc' = dc f, dh' = dz R (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).
 * Peepholes add p_i c', p_f c' and p_o c to what flows into the gates.
 */
export function lstmBackward(g: GradientContext, of: Direction): Backward {
  const { products, before, r, biases, steps, activations, peepholes } = of;
  const [sigma, tau, eta] = activations;
  const bias = biases ? [g.add(biases[0], biases[1])] : [];
  const z = [g.add(products, productOf(g, before, r)), ...bias].reduce((a, b) => g.add(a, b));
  const [pi, po, pf] = peepholes ? halves(g, peepholes, 0, 3) : [];
  const { input, output, forget, candidate, cells } = lstmForward(g, of, halves(g, z, 2, 4), { pi, po, pf });
  const cellsBefore = join(g, [of.cell, ...cells.slice(0, -1)], 0);
  const all = join(g, cells, 0);
  const e = eta.apply(g, all);
  const factors = [
    g.mul(candidate, sigma.slope(g, input)),
    g.mul(e, sigma.slope(g, output)),
    g.mul(cellsBefore, sigma.slope(g, forget)),
    g.mul(input, tau.slope(g, candidate)),
  ];
  const gateFactors = splitSteps(g, join(g, factors, 2), steps);
  const outputFactors = po ? splitSteps(g, factors[1], steps) : [];
  const cellFactors = splitSteps(g, g.mul(output, eta.slope(g, e)), steps);
  const kept = splitSteps(g, forget, steps);
  return {
    read: [before],
    step({ state, cell }, t) {
      let dc = g.mul(state, cellFactors[t]);
      if (cell) dc = g.add(cell, dc);
      if (po) dc = g.add(dc, g.mul(g.mul(state, outputFactors[t]), po));
      const gates = g.mul(join(g, [dc, state, dc, dc], 2), gateFactors[t]);
      let cellBefore = g.mul(dc, kept[t]);
      if (pi && pf) {
        const [di, , df] = halves(g, gates, 2, 4);
        cellBefore = g.add(cellBefore, g.add(g.mul(di, pi), g.mul(df, pf)));
      }
      return { gates, state: g.emit("MatMul", [gates, r]), cell: cellBefore };
    },
    peepholes(gates) {
      const [di, dout, df] = halves(g, gates, 2, 4);
      const sum = (a: Value, b: Value) => g.emit("ReduceSum", [g.mul(a, b), g.list([0, 1])], { keepdims: attr.int(0) });
      return peepholes && join(g, [sum(di, cellsBefore), sum(dout, all), sum(df, cellsBefore)], 0);
    },
  };
}

interface Peepholes {
  pi?: Value;
  po?: Value;
  pf?: Value;
}

/** The gates [T, N, H], and the cell after each step [1, N, H]; all gates at once unless they look at cells. */
function lstmForward(
  g: GradientContext,
  { steps, cell: start, activations: [sigma, tau] }: Direction,
  [zi, zo, zf, zc]: readonly Value[],
  { pi, po, pf }: Peepholes,
) {
  const candidate = tau.apply(g, zc);
  const cells: Value[] = [];
  let cell = start;
  if (!pi || !po || !pf) {
    const [input, output, forget] = [zi, zo, zf].map((z) => sigma.apply(g, z));
    const [kept, added] = [forget, g.mul(input, candidate)].map((value) => splitSteps(g, value, steps));
    for (let t = 0; t < steps; t++) {
      cell = g.add(g.mul(kept[t], cell), added[t]);
      cells.push(cell);
    }
    return { input, output, forget, candidate, cells };
  }
  const [zis, zos, zfs, cs] = [zi, zo, zf, candidate].map((value) => splitSteps(g, value, steps));
  const [inputs, outputs, forgets]: Value[][] = [[], [], []];
  const gate = (z: Value, peephole: Value, of: Value) => sigma.apply(g, g.add(z, g.mul(peephole, of)));
  for (let t = 0; t < steps; t++) {
    inputs.push(gate(zis[t], pi, cell));
    forgets.push(gate(zfs[t], pf, cell));
    cell = g.add(g.mul(forgets[t], cell), g.mul(inputs[t], cs[t]));
    outputs.push(gate(zos[t], po, cell));
    cells.push(cell);
  }
  const [input, output, forget] = [inputs, outputs, forgets].map((parts) => join(g, parts, 0));
  return { input, output, forget, candidate, cells };
}

/**
 * z, r = sigma(z), n = tau(z_n), h = (1 - z) n + z h' (gates in ONNX's order z, r, n; Cho et al., 2014):
 *   dn = dh (1 - z) tau'(n), dz = dh (h' - n) sigma'(z), dh' = dh z + what flows back through R.
 * The candidate reads r (R_n h' + b) where linear_before_reset is 1, else R_n (r h') + b.
 */
export function gruBackward(g: GradientContext, of: Direction): Backward {
  const { products, before, r, biases, steps, activations } = of;
  const [sigma, tau] = activations;
  const resetsAfter = g.node.int("linear_before_reset", 0) === 1;
  const [rz, rr, rn] = halves(g, r, 0, 3);
  const [xz, xr, xn] = halves(g, biases ? g.add(products, biases[0]) : products, 2, 3);
  const [bz, br, bn] = biases ? halves(g, biases[1], 0, 3) : [];
  const plus = (value: Value, bias: Value | undefined) => (bias ? g.add(value, bias) : value);
  const gate = (x: Value, matrix: Value, bias: Value | undefined) =>
    sigma.apply(g, plus(g.add(x, productOf(g, before, matrix)), bias));
  const [update, reset] = [gate(xz, rz, bz), gate(xr, rr, br)];
  const seen = resetsAfter ? before : g.mul(reset, before);
  const product = productOf(g, seen, rn);
  const linear = plus(product, bn);
  const n = tau.apply(g, g.add(xn, resetsAfter ? g.mul(reset, linear) : linear));

  const split = (value: Value) => splitSteps(g, value, steps);
  const toCandidate = split(g.mul(g.sub(g.scalar(1), update), tau.slope(g, n)));
  const toUpdate = split(g.mul(g.sub(before, n), sigma.slope(g, update)));
  const toReset = split(g.mul(resetsAfter ? linear : before, sigma.slope(g, reset)));
  const [updates, resets] = [split(update), split(reset)];
  return {
    read: resetsAfter ? [before] : [before, before, seen],
    step({ state }, t) {
      const [dz, dn] = [g.mul(state, toUpdate[t]), g.mul(state, toCandidate[t])];
      const kept = g.mul(state, updates[t]);
      if (resetsAfter) {
        const dr = g.mul(dn, toReset[t]);
        const fromState = join(g, [dz, dr, g.mul(dn, resets[t])], 2);
        const back = g.emit("MatMul", [fromState, r]);
        return { gates: join(g, [dz, dr, dn], 2), fromState, state: g.add(kept, back), cell: null };
      }
      const dseen = g.emit("MatMul", [dn, rn]);
      const dr = g.mul(dseen, toReset[t]);
      const back = g.add(g.emit("MatMul", [dz, rz]), g.emit("MatMul", [dr, rr]));
      const through = g.add(g.mul(dseen, resets[t]), back);
      return { gates: join(g, [dz, dr, dn], 2), state: g.add(kept, through), cell: null };
    },
  };
}
