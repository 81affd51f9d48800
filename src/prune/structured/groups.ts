import { isFloat } from "../../base/dtype.js";
import { constantOf, constants } from "../../graph/constant.js";
import type { Model, Value } from "../../graph/ir.js";
import type { AxisTable } from "../../ops/axis.js";
import { type Contraction, noUnits, type Statistic, type UnitKind } from "../../ops/coupling.js";
import { type Carrier, Cells } from "./cells.js";
import type { Factor, FactorTable } from "./factors.js";
import { type LinkedAxes, linkAxes } from "./link-axes.js";
import type { Prepared, SizeTrace } from "./prepare.js";
import { SharedSets } from "./shared-sets.js";
import { sideOf } from "./side.js";
import { spreadUnit } from "./spread-unit.js";

/** Positions along an axis of a weight that leave together. */
export interface Slice {
  value: Value;
  axis: number;
  positions: readonly number[];
}

/** What can only be taken out together, with everything that depends on it: a filter, a neuron, a head. */
export interface Group {
  /** Place in `Grouping.groups`. */
  readonly id: number;
  readonly unit: UnitKind;
  readonly slices: readonly Slice[];
}

/** Groups that are alike: the filters of a layer, its heads. Of each set at least one group stays. */
export interface GroupSet {
  readonly unit: UnitKind;
  /** The weight that names it: the first one of which a group takes an output. */
  readonly name: string;
  readonly groups: readonly Group[];
}

/** An axis of a weight that nothing can be taken out of. */
export interface FrozenAxis {
  value: Value;
  axis: number;
  reason: string;
}

const cuttable = (factors: readonly Factor[]) => factors.filter((factor) => factor.bound === null);

/** Everything that can be taken out of a network, found by following how axes hang together at every node. */
export class Grouping {
  readonly model: Model;
  readonly copies: Prepared["copies"];
  readonly trace: SizeTrace;
  readonly groups: readonly Group[];
  readonly sets: readonly GroupSet[];
  readonly frozen: readonly FrozenAxis[];
  readonly contractions: readonly Contraction[];
  readonly statistics: readonly Statistic[];
  readonly #axes: AxisTable;
  readonly #cells: Cells;
  /** By root cell. */
  readonly #groupOf: ReadonlyMap<number, Group>;

  constructor(
    { model, copies }: Prepared,
    trace: SizeTrace,
    { axes, contractions, statistics }: LinkedAxes,
    cells: Cells,
    prefer: readonly Wish[],
  ) {
    this.model = model;
    this.copies = copies;
    this.trace = trace;
    this.contractions = contractions;
    this.statistics = statistics;
    this.#axes = axes;
    this.#cells = cells;
    const found = collect(model, axes, cells, prefer);
    this.groups = found.groups;
    this.sets = found.sets;
    this.frozen = found.frozen;
    this.#groupOf = found.groupOf;
  }

  /** For each axis of a value, the positions that stay; null where all do. */
  keeps(value: Value, removed: ReadonlySet<Group>): (readonly number[] | null)[] {
    return this.#axes.of(value).map((axis) => {
      const carrier = this.#cells.carrierOf(axis);
      if (!carrier) return null;
      const leaves = this.#groupsOf(carrier).map((group) => group !== null && removed.has(group));
      if (!leaves.includes(true)) return null;
      const keep: number[] = [];
      for (let p = 0; p < axis.size; p++) if (!leaves[stepOf(carrier, p)]) keep.push(p);
      return keep;
    });
  }

  /** The group of each position along an axis; null where it belongs to none. */
  groupsAlong(value: Value, axis: number): (Group | null)[] {
    const of = this.#axes.of(value)[axis];
    const carrier = this.#cells.carrierOf(of);
    const groups = carrier && this.#groupsOf(carrier);
    return Array.from({ length: of.size }, (_, p) => (carrier && groups ? groups[stepOf(carrier, p)] : null));
  }

  /** By step of the carrier. */
  #groupsOf({ factor, first }: Carrier): (Group | null)[] {
    return Array.from({ length: factor.size }, (_, i) => this.#groupOf.get(this.#cells.root(first + i)) ?? null);
  }
}

/** The step of the carrier that a position of its axis belongs to. */
const stepOf = ({ factor, inner }: Carrier, position: number) => Math.floor(position / inner) % factor.size;

/**
 * What leaves only if somebody wishes for it: axes that hold all heads are cut by heads, not by what is within each of
 * them, and those that a statistic goes over are not cut.
 */
export const wishes = ["head-dim", "width"] as const;
export type Wish = (typeof wishes)[number];

/**
 * Which of the factors of one axis a cut goes by: what the user wants, then heads and hidden units, then the larger one.
 * Of factors that are units of width together, those that are heads come first.
 */
function chooser(prefer: readonly Wish[]): (a: Factor, b: Factor) => number {
  const preference: readonly UnitKind[] = [...prefer, "head", "hidden"];
  return (a, b) => {
    const unit = preference.find((each) => a.units.has(each) !== b.units.has(each));
    return unit ? Number(b.units.has(unit)) - Number(a.units.has(unit)) : b.size - a.size;
  };
}

/**
 * Finds what can be taken out of a prepared model, whose shapes `trace` knows.
 */
export function groupsOf(prepared: Prepared, trace: SizeTrace, prefer: readonly Wish[] = []): Grouping {
  const linked = linkAxes(prepared.model.graph, trace, { width: prefer.includes("width") });
  const { factors, picks } = linked;
  spreadUnit("head", factors, picks);
  if (prefer.includes("head-dim")) spreadUnit("head-dim", factors, picks);
  chooseCarriers(factors, chooser(prefer));
  const cells = new Cells(factors);
  for (const { from, to, indices } of picks) cells.pick(from, to, indices);
  return new Grouping(prepared, trace, linked, cells, prefer);
}

/** An axis is cut by one of its factors. */
function chooseCarriers(factors: FactorTable, choosesBefore: (a: Factor, b: Factor) => number): void {
  for (const axis of factors.axes()) {
    const all = cuttable(factors.of(axis));
    const distinct = [...new Set(all)];
    if (distinct.length < all.length) {
      for (const factor of distinct) factor.bound ??= `${axis.name} counts it twice`;
    } else if (distinct.length > 1) {
      const [carrier, ...others] = distinct.sort(choosesBefore);
      for (const factor of others) {
        factor.bound ??= `${axis.name} is cut by its factor of ${carrier.size}, not of ${factor.size}`;
      }
    }
  }
}

interface Collected {
  groups: Group[];
  sets: GroupSet[];
  frozen: FrozenAxis[];
  groupOf: Map<number, Group>;
}

/** Reads the joined cells off the weights. */
function collect(model: Model, axes: AxisTable, cells: Cells, prefer: readonly Wish[]): Collected {
  const slices = new Map<number, Slice[]>();
  const shared = new SharedSets<Factor>();
  const factorsOfRoot = new Map<number, ReadonlySet<Factor>>();
  const single = shareSingles();
  const frozen: FrozenAxis[] = [];
  const freeze = (value: Value, axis: number, reason: string) => {
    const weighs = isFloat(constantOf(value)?.dtype ?? "int64") || sideOf(value, axis) !== "own";
    if (reason !== noUnits && weighs) frozen.push({ value, axis, reason });
  };
  for (const { value } of constants(model.graph)) {
    for (const [axis, of] of axes.of(value).entries()) {
      if (of.size <= 1) continue;
      const carrier = cells.carrierOf(of);
      if (!carrier) {
        freeze(value, axis, cells.reasonOf(of));
        continue;
      }
      const { factor, first, inner } = carrier;
      const positions = new Map<number, number[]>();
      for (let p = 0; p < of.size; p++) {
        const root = cells.root(first + (Math.floor(p / inner) % factor.size));
        const list = positions.get(root);
        if (list && list.length > 1) list.push(p);
        else positions.set(root, list ? [list[0], p] : single(p));
      }
      let reason: string | null = null;
      let leaves = false;
      positions.forEach((list, root) => {
        reason = cells.boundReason(root);
        if (reason !== null) return;
        leaves = true;
        const slice = { value, axis, positions: list };
        const others = slices.get(root);
        if (others) others.push(slice);
        else slices.set(root, [slice]);
        factorsOfRoot.set(root, shared.with(factorsOfRoot.get(root), factor));
      });
      if (!leaves) freeze(value, axis, reason ?? "");
    }
  }
  const units = cells.units();
  const groups: Group[] = [];
  const groupOf = new Map<number, Group>();
  const bySignature = new Map<string, Group[]>();
  const ids = new Map<Factor, number>();
  for (const [root, each] of slices) {
    const unit = unitOf(units.get(root) ?? new Set(), prefer);
    // Without a unit nothing computes it: a constant that only shapes what others compute.
    if (unit === null) continue;
    const group: Group = { id: groups.length, unit, slices: each };
    groups.push(group);
    groupOf.set(root, group);
    const signature = [...(factorsOfRoot.get(root) ?? [])].map((factor) => {
      if (!ids.has(factor)) ids.set(factor, ids.size);
      return ids.get(factor);
    });
    const key = signature.sort().join(",");
    const alike = bySignature.get(key);
    if (alike) alike.push(group);
    else bySignature.set(key, [group]);
  }
  const sets = [...bySignature.values()].map((members) => ({
    unit: members[0].unit,
    name: nameOf(members[0]),
    groups: members,
  }));
  return { groups, sets, frozen, groupOf };
}

/** Lists of one position: most slices have just one, and so share a list with those of other weights. */
function shareSingles(): (position: number) => number[] {
  const lists: number[][] = [];
  return (position) => {
    lists[position] ??= [position];
    return lists[position];
  };
}

function nameOf({ slices }: Group): string {
  const computing = slices.find(({ value, axis }) => sideOf(value, axis) === "incoming");
  return (computing ?? slices[0]).value.name;
}

function unitOf(kinds: ReadonlySet<UnitKind>, prefer: readonly Wish[]): UnitKind | null {
  const order: readonly UnitKind[] = [...prefer, "head", "hidden", "filter", "neuron", "head-dim"];
  return order.find((unit) => kinds.has(unit)) ?? null;
}
