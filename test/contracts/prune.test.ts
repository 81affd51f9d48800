import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EspalierError } from "../../src/base/errors.js";
import { randomStream } from "../../src/base/random.js";
import { sizeOf } from "../../src/base/tensor.js";
import type { Criterion } from "../../src/prune/criteria/criterion.js";
import { randomCriterion } from "../../src/prune/criteria/random.js";
import { chooseMasks } from "../../src/prune/masks.js";
import { allCriteria, allScopes } from "../../src/prune/named.js";
import { parsePattern } from "../../src/prune/patterns/parse-pattern.js";
import type { Pattern } from "../../src/prune/patterns/pattern.js";
import { single } from "../../src/prune/patterns/single.js";
import { cubic } from "../../src/prune/schedules/cubic.js";
import { geometric } from "../../src/prune/schedules/geometric.js";
import { linear } from "../../src/prune/schedules/linear.js";
import { oneShot } from "../../src/prune/schedules/one-shot.js";
import { layerScope } from "../../src/prune/scopes/layer.js";
import type { Scope } from "../../src/prune/scopes/scope.js";
import { type LayerState, scoreLayer } from "../../src/prune/score.js";
import { naiveMasks, naiveUnits } from "./naive-masks.js";

const allSchedules = [oneShot, linear, geometric, cubic];

// Every criterion with every scope, pattern and schedule, against a reference that sorts and counts one by one.
const patterns = ["single", "2:4", "1:3", "1x4", "4x4", "3x2"].map(parsePattern);
const combinations = allCriteria.flatMap((criterion) =>
  allScopes.flatMap((scope) => patterns.map((pattern) => ({ criterion, scope, pattern }))),
);

/** Shapes as operators have them: Gemm, MatMul, Conv, MatMul with a batch. */
const shapes = fc.oneof(
  fc.tuple(size(14), size(14)).map(([o, i]) => ({ dims: [o, i], outputAxis: 0, inputAxis: 1 })),
  fc.tuple(size(14), size(14)).map(([i, o]) => ({ dims: [i, o], outputAxis: 1, inputAxis: 0 })),
  fc
    .tuple(size(7), size(9), size(3), size(3))
    .map(([o, i, h, w]) => ({ dims: [o, i, h, w], outputAxis: 0, inputAxis: 1 })),
  fc.tuple(size(3), size(9), size(6)).map(([b, i, o]) => ({ dims: [b, i, o], outputAxis: 2, inputAxis: 1 })),
);
const networks = fc.record({
  shapes: fc.array(shapes, { minLength: 1, maxLength: 4 }),
  seed: fc.nat(),
  /** Weights on a coarse grid tie, weights on a fine one do not. */
  coarse: fc.boolean(),
});

function size(max: number) {
  return fc.integer({ min: 1, max });
}

type Network = typeof networks extends fc.Arbitrary<infer T> ? T : never;

/** Layers with statistics as the criterion gathers them: weight-gradient sums absolute values, movement has both signs. */
function layersOf({ shapes, seed, coarse }: Network, { criterion }: Combination): LayerState[] {
  return shapes.map((shape, index) => {
    const random = randomStream(seed, "layer", index);
    const draw = () => (coarse ? Math.round(random.normal() * 2) / 2 : random.normal());
    const size = sizeOf(shape.dims);
    const layer = { ...shape, name: `layer${index}`, size, sparsity: null };
    const weights = new Float32Array(size).map(draw);
    const drawn = new Float32Array(size).map(draw);
    return { layer, weights, statistic: criterion.name === "weight-gradient" ? drawn.map(Math.abs) : drawn };
  });
}

interface Combination {
  criterion: Criterion;
  scope: Scope;
  pattern: Pattern;
}

function masksOf(states: readonly LayerState[], { criterion, scope, pattern }: Combination, sparsity: number) {
  const layers = states.map((state) => scoreLayer(state, criterion, 5));
  return chooseMasks(layers, { sparsity, scope, pattern });
}

/** A sparsity that the pattern allows. */
function allowed(states: readonly LayerState[], { pattern }: Combination, sparsity: number): number {
  if (pattern.prescribes === null) return sparsity;
  const most = states.reduce((sum, { layer }) => sum + pattern.capacity(layer), 0);
  return sparsity * (most / states.reduce((sum, { layer }) => sum + layer.size, 0));
}

const sparsities = fc.double({ min: 0, max: 0.999, noNaN: true });

describe.each(combinations.map((c) => [`${c.criterion.name}, ${c.scope.name}, ${c.pattern.name}`, c] as const))(
  "%s",
  (_, combination) => {
    it("removes what the reference removes, and exactly as much as it should", () => {
      fc.assert(
        fc.property(networks, sparsities, (network, fraction) => {
          const states = layersOf(network, combination);
          const sparsity = allowed(states, combination, fraction);
          const masks = masksOf(states, combination, sparsity);
          expect(masks).toEqual(naiveMasks(states, combination, sparsity));
          expect(masksOf(states, combination, sparsity)).toEqual(masks);
          const units = states.map(({ layer }) => naiveUnits(layer, combination.pattern.name));
          const total = units.flat().length;
          const most = states.reduce(
            (sum, { layer }, i) => sum + Math.min(combination.pattern.capacity(layer), units[i].length - 1),
            0,
          );
          const gone = units.flatMap((list, i) =>
            list.filter((unit) => unit.every((weight) => masks[i][weight] === 0)),
          );
          expect(gone.length).toBe(Math.min(Math.round(sparsity * total), most));
          for (const mask of masks) expect(mask.includes(1)).toBe(true);
        }),
        { numRuns: 25 },
      );
    });

    it("does not depend on the order of the layers", () => {
      fc.assert(
        fc.property(networks, sparsities, fc.nat(), (network, fraction, seed) => {
          const states = layersOf(network, combination);
          const sparsity = allowed(states, combination, fraction);
          const masks = masksOf(states, combination, sparsity);
          const order = [...randomStream(seed, "order").permutation(states.length)];
          const shuffled = masksOf(
            order.map((i) => states[i]),
            combination,
            sparsity,
          );
          expect(shuffled).toEqual(order.map((i) => masks[i]));
        }),
        { numRuns: 15 },
      );
    });

    it.each(allSchedules.map((schedule) => [schedule.name, schedule] as const))(
      "along %s what is gone stays gone, and the end is the target",
      (_, schedule) => {
        fc.assert(
          fc.property(networks, sparsities, (network, fraction) => {
            const states = layersOf(network, combination);
            const final = allowed(states, combination, fraction);
            let before: Uint8Array[] | null = null;
            let free: Uint8Array[] | null = null;
            for (let step = 1; step <= 5; step++) {
              const sparsity = schedule.sparsityAt(step / 5, 0, final);
              // With the masks of the step before, and afresh: on unchanged weights both come to the same.
              const masked = states.map((state, i) => ({ ...state, mask: before?.[i] }));
              const now: Uint8Array[] = masksOf(masked, combination, sparsity);
              const fresh: Uint8Array[] = masksOf(states, combination, sparsity);
              for (const [i, mask] of now.entries()) {
                expect(mask.every((kept, w) => !kept || !before || before[i][w] === 1)).toBe(true);
                expect(fresh[i].every((kept, w) => !kept || !free || free[i][w] === 1)).toBe(true);
              }
              before = now;
              free = fresh;
            }
            expect(free).toEqual(masksOf(states, combination, final));
            // LAMP shifts scores below 0 by the lowest that is left.
            const shifts = combination.scope.name === "lamp" && combination.criterion.name === "movement";
            if (!shifts) expect(before).toEqual(free);
          }),
          { numRuns: 8 },
        );
      },
    );

    it("brings nothing back, whatever was gone before and however little is asked for", () => {
      const { pattern } = combination;
      const earlier = { criterion: randomCriterion, scope: layerScope, pattern: pattern.prescribes ? single : pattern };
      fc.assert(
        fc.property(networks, sparsities, sparsities, (network, first, then) => {
          const states = layersOf(network, combination);
          const before = masksOf(states, earlier, first);
          const masked = states.map((state, i) => ({ ...state, mask: before[i] }));
          const sparsity = allowed(states, combination, then);
          const after = masksOf(masked, combination, sparsity);
          const goneIn = (masks: readonly Uint8Array[]) =>
            states.flatMap(({ layer }, i) =>
              naiveUnits(layer, pattern.name).filter((unit) => unit.every((weight) => masks[i][weight] === 0)),
            ).length;
          for (const [i, mask] of after.entries()) {
            expect(mask.every((kept, w) => !kept || before[i][w] === 1)).toBe(true);
            expect(mask.includes(1)).toBe(true);
          }
          const units = states.flatMap(({ layer }) => naiveUnits(layer, pattern.name)).length;
          const wanted = Math.max(Math.round(sparsity * units), goneIn(before));
          if (pattern.prescribes === null) expect(goneIn(after)).toBe(Math.min(wanted, units - states.length));
          else expect(goneIn(after)).toBeGreaterThanOrEqual(wanted);
        }),
        { numRuns: 15 },
      );
    });

    it("changes nothing at sparsity 0, and refuses what is no sparsity", () => {
      const states = layersOf(
        { shapes: [{ dims: [6, 8], outputAxis: 0, inputAxis: 1 }], seed: 3, coarse: false },
        combination,
      );
      expect(masksOf(states, combination, 0)).toEqual([new Uint8Array(48).fill(1)]);
      for (const sparsity of [1, 1.2, -0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
        const attempt = () => masksOf(states, combination, sparsity);
        expect(attempt).toThrow(EspalierError);
        expect(attempt).toThrow(/sparsity/);
      }
    });
  },
);

describe.each(allSchedules.map((schedule) => [schedule.name, schedule] as const))("schedule %s", (_, schedule) => {
  it("rises from where it is to exactly the target and never leaves that range", () => {
    const points = fc.tuple(sparsities, sparsities).map((pair) => pair.sort((a, b) => a - b));
    fc.assert(
      fc.property(points, fc.array(fc.double({ min: 0, max: 1, noNaN: true })), ([initial, final], times) => {
        expect(schedule.sparsityAt(1, initial, final)).toBe(final);
        let last = initial;
        for (const time of times.sort((a, b) => a - b)) {
          const now = schedule.sparsityAt(time, initial, final);
          expect(now).toBeGreaterThanOrEqual(last - 1e-12);
          expect(now).toBeLessThanOrEqual(final + 1e-12);
          last = now;
        }
      }),
    );
  });
});
