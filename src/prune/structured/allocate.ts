import { EspalierError, quoted } from "../../base/errors.js";
import { globMatcher } from "../../base/glob.js";
import { constantOf, constants } from "../../graph/constant.js";
import type { UnitKind } from "../../ops/coupling.js";
import { assertSparsity } from "../sparsity.js";
import { type Group, type Grouping, type GroupSet, wishes } from "./groups.js";
import { sideOf } from "./side.js";

export interface AllocationOptions {
  /** Share of the groups that goes. */
  sparsity: number;
  /**
   * - uniform (default): every set loses this share of its groups;
   * - global: the groups of all sets compete;
   * - isomorphic: those of sets that are alike compete, in which weights of the same kinds hang together, so that heads
   *   are not weighed against filters (Fang et al., "Isomorphic Pruning for Vision Models", 2024).
   */
  scope?: "uniform" | "global" | "isomorphic";
  /** Shares of their own, by glob patterns over the names of the weights that compute the groups; the first that fits counts. */
  sparsities?: Readonly<Record<string, number>>;
  /** Of no set goes more than this share. Default 1; a group always stays. */
  maxSparsity?: number;
  /** The kinds of groups that may go. Default all. */
  units?: readonly UnitKind[];
  /** Names of tensors of which nothing goes, on any axis. */
  frozen?(name: string): boolean;
  /**
   * What stays of filters, neurons, hidden units and dimensions of heads is a multiple of this, as far as the layer is that large. onnxruntime
   * computes in blocks of 8; 1 switches it off. Default 8.
   */
  roundTo?: number;
}

export interface Allocation {
  removed: ReadonlySet<Group>;
  /** Sets of which nothing goes since rounding would undo the cut. */
  undone: readonly GroupSet[];
  /** Sets of which nothing goes since the criterion says nothing of their groups. */
  unjudged: readonly GroupSet[];
}

/**
 * Which groups go: of each set those with the lowest scores.
 * @param scores of the groups that may go.
 * @param gone groups that were removed before: they count, and stay removed.
 * Throws `bad-usage` for shares outside of [0, 1), patterns that fit nothing, and when the model has no such groups.
 */
export function allocate(
  grouping: Grouping,
  scores: ReadonlyMap<Group, number>,
  options: AllocationOptions,
  gone: ReadonlySet<Group> = new Set(),
): Allocation {
  const { sparsity, scope = "uniform", maxSparsity = 1, roundTo = 8 } = options;
  assertSparsity(sparsity);
  if (!(Number.isInteger(roundTo) && roundTo >= 1 && maxSparsity >= 0 && maxSparsity <= 1)) {
    throw new EspalierError("bad-usage", `multiples of ${roundTo}, and at most a share of ${maxSparsity}`, {
      hint: "Give a whole number from 1, and a share between 0 and 1.",
    });
  }
  const own = sharesOf(grouping, options);
  const chosen = chosenSets(grouping, options);
  if (chosen.length === 0) throw nothingToCut(grouping, options);
  const sets = chosen.filter(({ groups }) => groups.some((group) => scores.has(group)));
  const scoreOf = (group: Group) => scores.get(group) ?? 0;
  const present = (groups: readonly Group[]) => groups.filter((group) => !gone.has(group) && scores.has(group));
  const ascending = (groups: readonly Group[]) =>
    present(groups).sort((a, b) => scoreOf(a) - scoreOf(b) || a.id - b.id);
  const goneOf = ({ groups }: GroupSet) => groups.reduce((count, group) => count + Number(gone.has(group)), 0);

  const counts = new Map<GroupSet, number>();
  for (const set of sets) {
    const share = own(set) ?? (scope === "uniform" ? sparsity : 0);
    counts.set(set, Math.max(goneOf(set), share * set.groups.length));
  }
  const most = (set: GroupSet) => Math.min(set.groups.length - 1, Math.floor(maxSparsity * set.groups.length + 1e-9));
  const free = sets.filter((set) => own(set) === null);
  if (scope === "global") share(free);
  if (scope === "isomorphic") {
    const structures = new Set(free.map(structureOf));
    for (const structure of structures) share(free.filter((set) => structureOf(set) === structure));
  }

  function share(competing: readonly GroupSet[]): void {
    const total = competing.reduce((sum, { groups }) => sum + groups.length, 0);
    let left = Math.round(sparsity * total) - competing.reduce((sum, set) => sum + goneOf(set), 0);
    const setOf = new Map(competing.flatMap((set) => set.groups.map((group) => [group, set] as const)));
    for (const group of ascending([...setOf.keys()])) {
      const set = setOf.get(group);
      if (left <= 0 || !set) return;
      const count = counts.get(set) ?? 0;
      if (count >= most(set)) continue;
      counts.set(set, count + 1);
      left--;
    }
  }

  const removed = new Set<Group>(gone);
  const undone: GroupSet[] = [];
  for (const set of sets) {
    const before = goneOf(set);
    const wanted = Math.max(before, Math.min(Math.floor((counts.get(set) ?? 0) + 1e-9), most(set)));
    const count = Math.max(before, rounded(set, wanted, roundTo, most(set)));
    if (wanted > 0 && count === 0) undone.push(set);
    for (const group of ascending(set.groups).slice(0, count - before)) removed.add(group);
  }
  return { removed, undone, unjudged: chosen.filter((set) => !sets.includes(set) && goneOf(set) === 0) };
}

/** What stays whatever is asked for, for who asks for more. */
export function whatStays({ roundTo = 8, maxSparsity = 1 }: Omit<AllocationOptions, "sparsity">): string {
  const least =
    maxSparsity < 1
      ? `No layer loses more than a share of ${maxSparsity}`
      : roundTo > 1
        ? `Layers are rounded to multiples of ${roundTo}, of which one stays`
        : "One unit of each layer stays";
  return `${least}; layers with a share of their own keep to it, and not all can be cut: see \`espalier inspect --groups\`.`;
}

/** The sets that may lose groups: of the kinds that may go, and neither frozen nor given a share of 0. */
export function openSets(grouping: Grouping, options: Omit<AllocationOptions, "sparsity">): GroupSet[] {
  const own = sharesOf(grouping, options);
  return chosenSets(grouping, options).filter((set) => own(set) !== 0);
}

type Choice = Pick<AllocationOptions, "sparsities" | "units" | "frozen">;

function chosenSets({ sets }: Grouping, { units, frozen }: Choice): GroupSet[] {
  const whole = ({ groups }: GroupSet) => groups[0].slices.some(({ value }) => frozen?.(value.name));
  return sets.filter((set) => (!units || units.includes(set.unit)) && !whole(set));
}

/** The share of its own that a set is given; null where it is given none. */
function sharesOf({ sets }: Grouping, { sparsities = {} }: Choice): (set: GroupSet) => number | null {
  const rated = Object.entries(sparsities).map(([pattern, share]) => {
    assertSparsity(share, `layers ${quoted(pattern)}`);
    return { share, fits: fitting(sets, pattern) };
  });
  return (set) => rated.find(({ fits }) => fits.has(set))?.share ?? null;
}

/** What hangs together in a group: sides and ranks of its weights, which one name tells from others. */
function structureOf({ unit, groups }: GroupSet): string {
  const members = groups[0].slices.map(({ value, axis }) => `${sideOf(value, axis)}${constantOf(value)?.dims.length}`);
  return [unit, ...members.sort()].join(" ");
}

const inBlocks: readonly UnitKind[] = ["filter", "neuron", "hidden", "head-dim", "width"];

/**
 * How many go so that what stays of the layer's channels is a multiple of `roundTo`, the nearest one at which no more
 * than `most` go. A unit of a grouped Conv is several channels: of 4 each, 2 make 8.
 */
function rounded({ unit, groups }: GroupSet, wanted: number, roundTo: number, most: number): number {
  if (!inBlocks.includes(unit) || wanted === 0) return wanted;
  const computing = groups[0].slices.find(({ value, axis }) => sideOf(value, axis) === "incoming");
  // Of a hidden unit there are all gates, in one weight.
  const channels = unit === "hidden" ? 1 : (computing ?? groups[0].slices[0]).positions.length;
  const step = roundTo / greatestDivisor(roundTo, channels);
  if (step === 1 || groups.length < step) return wanted;
  const nearest = Math.max(step, Math.round((groups.length - wanted) / step) * step);
  const stays = groups.length - nearest > most ? nearest + step : nearest;
  return Math.max(0, groups.length - stays);
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

function fitting(sets: readonly GroupSet[], pattern: string): ReadonlySet<GroupSet> {
  const fits = globMatcher(pattern);
  const chosen = sets.filter(({ groups }) =>
    groups[0].slices.some(({ value, axis }) => sideOf(value, axis) !== "outgoing" && fits(value.name)),
  );
  if (chosen.length > 0) return new Set(chosen);
  throw new EspalierError("bad-usage", `no weight that can be cut is called ${quoted(pattern)}`, {
    hint: `There are ${sets
      .slice(0, 8)
      .map(({ name }) => name)
      .join(", ")}${sets.length > 8 ? ", ..." : ""}.`,
  });
}

function nothingToCut(grouping: Grouping, { units, frozen: keepsValues }: AllocationOptions): EspalierError {
  const { sets, frozen, statistics } = grouping;
  const otherwise = keepsValues ? chosenSets(grouping, { units }) : [];
  if (otherwise.length > 0) {
    return new EspalierError("bad-usage", "all that can be cut holds tensors that are frozen", {
      hint: `Freeze less: there are ${otherwise
        .slice(0, 8)
        .map(({ name }) => name)
        .join(", ")}${otherwise.length > 8 ? ", ..." : ""}.`,
    });
  }
  const reasons = [...new Set(frozen.map(({ reason }) => reason))].slice(0, 3);
  const what = units
    ? `there is no ${units.join(" or ")} in the model that can be cut`
    : "nothing in the model can be cut";
  const present = [...new Set(sets.map(({ unit }) => unit))];
  const wish = wishes.find((unit) => units?.includes(unit));
  const option = wish ? ` --granularity ${wish}` : "";
  const isWide = statistics.length > 0 && !units?.includes("width");
  const wider = isWide ? " `--granularity width` cuts what means and norms go over." : "";
  const hint =
    present.length > 0
      ? `It has ${present.join(", ")}. \`espalier inspect --groups${option}\` says why there is nothing else.`
      : reasons.length > 0
        ? `The reasons: ${reasons.join("; ")}.${wider}`
        : [...constants(grouping.model.graph)].some(({ tensor }) => tensor.dims.length > 1)
          ? "None of its layers has more than one unit."
          : "It holds no weights.";
  return new EspalierError("unsupported", what, { hint });
}
