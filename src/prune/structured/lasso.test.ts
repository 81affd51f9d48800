import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { judge, recovery, trainedModel, weights } from "../../../test/support/pruning.js";
import { temporaryFolder } from "../../../test/support/temporary-folder.js";
import type { Model } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { nodeEngine } from "../../run/node.js";
import { constantRate } from "../../train/rates.js";
import { geometric } from "../schedules/geometric.js";
import { taylor } from "./criteria/gradient.js";
import { l1 } from "./criteria/norm.js";
import { normalizationScale } from "./criteria/scale.js";
import { membersOf } from "./members.js";
import { pruneStructured, type StructuredOptions, type StructuredResult } from "./prune-structured.js";

const trained = await trainedModel();
const folder = temporaryFolder();

const options: StructuredOptions = {
  engine: nodeEngine,
  threads: 1,
  seed: 3,
  criterion: l1(),
  roundTo: 1,
  goal: { sparsity: 0.5 },
  recovery: { ...recovery, epochs: 0, schedule: constantRate },
  evaluation: judge,
};

/** The share that leaves of the sum of |w| of what computes a set's units. */
function shareOfNorm({ grouping, removed }: StructuredResult, at: number): number {
  const { groups } = grouping.sets[at];
  const sums = membersOf(grouping.sets[at])[0].sums(Math.abs);
  const total = (indices: readonly number[]) => indices.reduce((sum, i) => sum + sums[i], 0);
  const all = [...groups.keys()];
  return total(all.filter((i) => removed.has(groups[i]))) / total(all);
}

describe("group lasso before a cut", () => {
  it("makes what leaves small, so that it is hardly missed", async () => {
    const results: StructuredResult[] = [];
    for (const strength of [0, 0.4]) {
      results.push(await pruneStructured(trained, { ...options, scope: "global", lasso: { epochs: 16, strength } }));
    }
    const [without, sparse] = results;
    for (const { history } of results) {
      expect(history.map(({ phase, epochs }) => `${phase} ${epochs}`)).toEqual(Array(16).fill("prune-lasso-1 16"));
    }
    for (const set of sparse.grouping.sets.keys()) {
      expect(shareOfNorm(without, set)).toBeGreaterThan(0.3);
      expect(shareOfNorm(sparse, set)).toBeLessThan(0.05);
    }
    expect(sparse.after?.loss).toBeLessThan((without.after?.loss ?? 0) / 3);
  });

  it("takes everything that may leave to 0 when it is strong, and nothing else", async () => {
    const strong = (changes: Partial<StructuredOptions>) =>
      pruneStructured(trained, { ...options, ...changes, lasso: { epochs: 1, strength: 50 } });
    const largest = (model: Model, name: string) => Math.max(...weights(model, name).map(Math.abs));
    const all = await strong({});
    for (const name of ["conv.weight", "norm.weight", "norm.bias", "fc1.weight", "fc1.bias"]) {
      expect(largest(all.model, name)).toBe(0);
    }
    expect(largest(all.model, "fc2.weight")).toBeGreaterThan(0.1);
    const others: [Partial<StructuredOptions>, string[], string[]][] = [
      [{ sparsities: { "conv.weight": 0 } }, ["fc1.weight"], ["conv.weight", "norm.bias"]],
      [{ units: ["filter"] }, ["conv.weight"], ["fc1.weight"]],
      [{ criterion: normalizationScale }, ["conv.weight"], ["fc1.weight"]],
    ];
    for (const [changes, zero, held] of others) {
      const { model } = await strong(changes);
      for (const name of zero) expect(largest(model, name), name).toBe(0);
      for (const name of held) expect(largest(model, name), name).toBeGreaterThan(0.1);
    }
    const frozen = await strong({ recovery: { ...recovery, epochs: 0, freeze: ["conv.weight"] } });
    expect(weights(frozen.model, "conv.weight")).toEqual(weights(trained, "conv.weight"));
    expect(largest(frozen.model, "norm.weight")).toBeGreaterThan(0.1);
    expect(largest(frozen.model, "fc1.weight")).toBe(0);
  });

  it.each([
    ["once", { criterion: taylor }, [4, 12]],
    [
      "before fading, in rounds",
      { fadeEpochs: 1, rounds: { count: 2, schedule: geometric }, recovery: { ...recovery, epochs: 1 } },
      [12, 20, 36],
    ],
  ] as [string, Partial<StructuredOptions>, number[]][])(
    "stopped and resumed gives the same bytes as none: %s",
    async (name, changes, stops) => {
      const own = { ...options, lasso: { epochs: 2, strength: 0.3 }, ...changes };
      const plain = await pruneStructured(trained, own);
      for (const stopAt of stops) {
        const checkpoints = join(folder(), `${name}-${stopAt}`);
        const stop = new AbortController();
        let steps = 0;
        const onStep = () => ++steps === stopAt && stop.abort();
        const stopped = pruneStructured(trained, { ...own, checkpoints, onStep, signal: stop.signal });
        await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
        expect(readdirSync(checkpoints)).toEqual(
          stopAt > 8 ? expect.arrayContaining(["prune-lasso-1.safetensors"]) : [],
        );
        const resumed = await pruneStructured(trained, { ...own, checkpoints });
        expect(Buffer.from(modelBytes(resumed.model)).equals(Buffer.from(modelBytes(plain.model)))).toBe(true);
        const stronger = pruneStructured(trained, { ...own, lasso: { epochs: 2, strength: 0.4 }, checkpoints });
        await expect(stronger).rejects.toMatchObject({ code: "bad-usage" });
      }
    },
  );

  it("that diverges ends with the reason: there is no cut yet to give back", async () => {
    const wild = { ...options, lasso: { epochs: 1 }, recovery: { ...recovery, epochs: 0, rate: 1e30 } };
    await expect(pruneStructured(trained, wild)).rejects.toMatchObject({ code: "diverged" });
  });

  it("must make sense", async () => {
    for (const lasso of [{ epochs: 0.5 }, { epochs: -1 }, { epochs: 1, strength: -1 }, { epochs: 1, strength: NaN }]) {
      await expect(pruneStructured(trained, { ...options, lasso })).rejects.toThrow(/a group lasso of strength/);
    }
    const none = pruneStructured(trained, { ...options, recovery: null, lasso: { epochs: 1 } });
    await expect(none).rejects.toThrow(/no data to fit or train with/);
  });
});
