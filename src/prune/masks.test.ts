import fc from "fast-check";
import { expect, it } from "vitest";
import { chooseMasks, type ScoredLayer } from "./masks.js";
import { allScopes } from "./named.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import { single } from "./patterns/single.js";
import { globalScope } from "./scopes/global.js";
import { layerScope } from "./scopes/layer.js";

function layer(name: string, scores: readonly number[], sparsity: number | null = null): ScoredLayer {
  const shape = { dims: [1, scores.length], size: scores.length, outputAxis: 0, inputAxis: 1 };
  return { name, ...shape, scores: Float32Array.from(scores), sparsity, mask: null };
}

const gone = (masks: readonly Uint8Array[]) => masks.map((mask) => mask.filter((kept) => kept === 0).length);

it("gives layers with a sparsity of their own exactly that, and the rest of the total to the others", () => {
  const sizes = fc.array(fc.integer({ min: 2, max: 40 }), { minLength: 2, maxLength: 5 });
  const rate = fc.double({ min: 0, max: 0.99, noNaN: true });
  fc.assert(
    fc.property(sizes, rate, rate, fc.constantFrom(...allScopes), (counts, total, own, scope) => {
      const layers = counts.map((count, i) =>
        layer(
          `${i}`,
          Array.from({ length: count }, (_, w) => w + i / 10),
          i === 0 ? own : null,
        ),
      );
      const units = counts.reduce((a, b) => a + b, 0);
      const first = Math.min(Math.round(own * counts[0]), counts[0] - 1);
      const rest = Math.round(total * units) - first;
      const attempt = () => chooseMasks(layers, { sparsity: total, scope, pattern: single });
      if (rest < -1 || rest > units - counts[0] + 1) {
        expect(attempt).toThrow(rest < 0 ? /already lose/ : /the other layers would have to lose/);
        return;
      }
      const removed = gone(attempt());
      expect(removed[0]).toBe(first);
      const most = units - counts[0] - (counts.length - 1);
      expect(removed.slice(1).reduce((a, b) => a + b, 0)).toBe(Math.min(Math.max(rest, 0), most));
    }),
  );
});

it("lets all layers have their own", () => {
  const layers = [layer("a", [1, 2, 3, 4], 0.5), layer("b", [1, 2, 3, 4], 0.25)];
  expect(gone(chooseMasks(layers, { sparsity: 3 / 8, scope: globalScope, pattern: single }))).toEqual([2, 1]);
});

it("keeps the best unit of every layer, however low", () => {
  const layers = [layer("a", [1, 2]), layer("b", [10, 20, 30, 40, 50, 60, 70, 80])];
  const masks = chooseMasks(layers, { sparsity: 0.9, scope: globalScope, pattern: single });
  expect(masks.map((mask) => [...mask])).toEqual([
    [0, 1],
    [0, 0, 0, 0, 0, 0, 0, 1],
  ]);
});

it("removes what was removed before first, whatever it scores now", () => {
  const before = { ...layer("a", [9, 1, 2, 3]), mask: Uint8Array.of(0, 1, 1, 1) };
  for (const scope of allScopes) {
    const copy = { ...before, scores: before.scores.slice() };
    const [mask] = chooseMasks([copy], { sparsity: 0.5, scope, pattern: single });
    expect([...mask]).toEqual([0, 0, 1, 1]);
  }
});

it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses the score %d by name", (bad) => {
  const layers = [layer("good", [1, 2]), layer("bad", [1, bad])];
  expect(() => chooseMasks(layers, { sparsity: 0.5, scope: layerScope, pattern: single })).toThrow(
    /bad: the score of weight 1 is/,
  );
});

it("takes a pattern to its end where a group has less than it may keep", () => {
  const before = { ...layer("a", [9, 9, 9, 5, 1, 2, 4, 3]), mask: Uint8Array.of(0, 0, 0, 1, 1, 1, 1, 1) };
  for (const scope of allScopes) {
    const copy = { ...before, scores: before.scores.slice() };
    const [mask] = chooseMasks([copy], { sparsity: 0.5, scope, pattern: parsePattern("2:4") });
    expect([...mask]).toEqual([0, 0, 0, 1, 0, 0, 1, 1]);
  }
});

it("leaves an empty layer empty", () => {
  const layers = [{ ...layer("a", [1, 2]), mask: Uint8Array.of(0, 0) }, layer("b", [3, 4])];
  const masks = chooseMasks(layers, { sparsity: 0.25, scope: globalScope, pattern: single });
  expect(masks.map((mask) => [...mask])).toEqual([
    [0, 0],
    [1, 1],
  ]);
});

it("takes the layer whose name comes first where scores or shares tie, however the layers are listed", () => {
  const equal = { sparsity: 2 / 6, scope: globalScope, pattern: single };
  const [b, a] = chooseMasks([layer("b", [1, 1, 1]), layer("a", [1, 1, 1])], equal);
  expect([[...a], [...b]]).toEqual([
    [0, 0, 1],
    [1, 1, 1],
  ]);
  for (const scope of allScopes) {
    // 5 of 9 units stay, which three equal layers cannot share equally.
    const masksBy = (names: readonly string[]) => {
      const masks = chooseMasks(
        names.map((name) => layer(name, [1, 1, 1])),
        { sparsity: 4 / 9, scope, pattern: single },
      );
      return Object.fromEntries(names.map((name, i) => [name, [...masks[i]]]));
    };
    expect(masksBy(["c", "a", "b"]), scope.name).toEqual(masksBy(["a", "b", "c"]));
    expect(masksBy(["b", "c", "a"]), scope.name).toEqual(masksBy(["a", "b", "c"]));
  }
});
