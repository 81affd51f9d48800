import { randomStream } from "../../src/base/random.js";
import type { Criterion } from "../../src/prune/criteria/criterion.js";
import type { Pattern } from "../../src/prune/patterns/pattern.js";
import type { Scope } from "../../src/prune/scopes/scope.js";
import type { LayerState } from "../../src/prune/score.js";

// An independent, slow reference for choosing masks: coordinates spelled out, everything sorted, one unit at a time.

type Shape = LayerState["layer"];

/** The weights of each unit, units in order. */
export function naiveUnits(layer: Shape, pattern: string): number[][] {
  const [height, width] = pattern.includes("x") ? pattern.split("x").map(Number) : [1, 1];
  const units = new Map<string, { key: number[]; weights: number[] }>();
  for (let weight = 0; weight < layer.size; weight++) {
    const at = coordinates(layer, weight);
    const whole = !pattern.includes("x");
    const key = whole ? [weight] : [...at.others, Math.floor(at.output / height), Math.floor(at.input / width)];
    const unit = units.get(`${key}`) ?? { key, weights: [] };
    unit.weights.push(weight);
    units.set(`${key}`, unit);
  }
  return [...units.values()].sort((a, b) => compare(a.key, b.key)).map((unit) => unit.weights);
}

function coordinates({ dims, outputAxis, inputAxis }: Shape, weight: number) {
  const at: number[] = [];
  let rest = weight;
  for (const dim of [...dims].reverse()) {
    at.unshift(rest % dim);
    rest = Math.floor(rest / dim);
  }
  const others = at.filter((_, axis) => axis !== outputAxis && axis !== inputAxis);
  return { output: at[outputAxis], input: at[inputAxis], others };
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return 0;
}

interface Unit {
  layer: number;
  index: number;
  score: number;
  stays: boolean;
}

export function naiveMasks(
  states: readonly LayerState[],
  { criterion, scope, pattern }: { criterion: Criterion; scope: Scope; pattern: Pattern },
  sparsity: number,
): Uint8Array[] {
  const members = states.map(({ layer }) => naiveUnits(layer, pattern.name));
  const byLayer = states.map((state, layer) => {
    const scores = naiveScores(state, criterion.name);
    const units = members[layer].map((weights, index): Unit => {
      const sum = weights.reduce((total, weight) => total + scores[weight], 0);
      return { layer, index, score: Math.fround(sum / weights.length), stays: false };
    });
    if (pattern.name.includes(":")) lockGroups(state.layer, units, pattern.name);
    const best = [...units].sort(byScore).at(-1);
    if (best) best.stays = true;
    return units;
  });
  const total = byLayer.flat().length;
  const most = byLayer.flat().filter((unit) => !unit.stays).length;
  const count = Math.min(Math.round(sparsity * total), most);
  const removed =
    scope.kind === "ranking" ? ranked(byLayer, scope.name, count) : shared(byLayer, states, scope.name, count);
  const masks = states.map(({ layer }) => new Uint8Array(layer.size).fill(1));
  for (const { layer, index } of removed) for (const weight of members[layer][index]) masks[layer][weight] = 0;
  return masks;
}

function naiveScores({ layer, weights, statistic }: LayerState, criterion: string): number[] {
  const random = randomStream(5, "criterion", layer.name);
  return Array.from(weights, (weight, i) => {
    if (criterion === "magnitude") return weight < 0 ? -weight : weight;
    if (criterion === "random") return Math.fround(random.uniform());
    return statistic?.[i] ?? Number.NaN;
  });
}

const byScore = (a: Unit, b: Unit) => a.score - b.score || a.layer - b.layer || a.index - b.index;

function lockGroups(layer: Shape, units: readonly Unit[], pattern: string): void {
  const [n, m] = pattern.split(":").map(Number);
  const groups = new Map<string, Unit[]>();
  for (const unit of units) {
    const { output, input, others } = coordinates(layer, unit.index);
    const key = `${others}/${output}/${Math.floor(input / m)}`;
    groups.set(key, [...(groups.get(key) ?? []), unit]);
  }
  for (const group of groups.values()) {
    for (const unit of [...group].sort(byScore).slice(-n)) unit.stays = true;
  }
}

function ranked(byLayer: readonly Unit[][], scope: string, count: number): Unit[] {
  const rescaled = byLayer.map((units) => (scope === "lamp" ? lamp(units) : units));
  const order = rescaled.flat().filter((unit) => !unit.stays);
  return order.sort(byScore).slice(0, count);
}

function lamp(units: readonly Unit[]): Unit[] {
  const lowest = Math.min(0, ...units.map((unit) => unit.score));
  const descending = [...units].sort((a, b) => b.score - a.score || b.index - a.index);
  return units.map((unit) => {
    const upwards = descending.slice(0, descending.indexOf(unit) + 1);
    const sum = upwards.reduce((total, { score }) => total + (score - lowest) ** 2, 0);
    return { ...unit, score: sum > 0 ? Math.fround((unit.score - lowest) ** 2 / sum) : 0 };
  });
}

/** Units are kept one at a time, each by the layer whose next one is due first: (k + 1/2) / (density units). */
function shared(byLayer: readonly Unit[][], states: readonly LayerState[], scope: string, count: number): Unit[] {
  const weights = byLayer.map((units, i) => {
    const { dims, size } = states[i].layer;
    const erk = dims.reduce((a, b) => a + b, 0) / size;
    return units.length * (scope === "erk" ? erk : 1);
  });
  const kept = byLayer.map((units) => units.filter((unit) => unit.stays).length);
  const total = byLayer.flat().length - count;
  while (kept.reduce((a, b) => a + b, 0) < total) {
    let next = -1;
    let due = Number.POSITIVE_INFINITY;
    for (const [i, units] of byLayer.entries()) {
      const at = kept[i] < units.length ? (kept[i] + 0.5) / weights[i] : Number.POSITIVE_INFINITY;
      if (at < due) [next, due] = [i, at];
    }
    kept[next]++;
  }
  return byLayer.flatMap((units, i) => {
    const order = units.filter((unit) => !unit.stays).sort(byScore);
    return order.slice(0, units.length - kept[i]);
  });
}
