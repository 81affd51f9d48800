import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { freshModel, gradual, options, recovery, rounds, selection, trainedModel } from "../../test/support/pruning.js";
import { modelBytes } from "../onnx/write.js";
import { adamW } from "../train/optimizers.js";
import { constantRate } from "../train/rates.js";
import { movement } from "./criteria/movement.js";
import { randomCriterion } from "./criteria/random.js";
import type { PruneOptions } from "./options.js";
import { parsePattern } from "./patterns/parse-pattern.js";
import { prune } from "./prune.js";
import { geometric } from "./schedules/geometric.js";
import { linear } from "./schedules/linear.js";
import { layerScope } from "./scopes/layer.js";

const trained = await trainedModel();

const folder = mkdtempSync(join(tmpdir(), "espalier-prune-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("interruption", () => {
  const cases: [string, Partial<PruneOptions>, readonly number[]][] = [
    ["rounds", { procedure: { kind: "rounds", count: 2, schedule: geometric } }, [3, 24, 30]],
    ["gradual with regrowth", { procedure: { ...gradual, regrow: true } }, [5, 16]],
    ["gradual movement", { procedure: gradual, selection: { ...selection, criterion: movement } }, [9]],
    ["rewinding", { procedure: { ...rounds, count: 2, rewindTo: freshModel() } }, [30]],
    ["a search", { goal: { maxDrop: 3 }, procedure: gradual }, [40]],
    ["distillation", { recovery: { ...recovery, teacher: 1 } }, [11]],
  ];

  it.each(cases)("of %s, then resumed, gives the same bytes as none", async (name, changes, stops) => {
    const own: PruneOptions = { ...options, ...changes };
    const plain = await prune(trained, own);
    for (const stopAt of stops) {
      const checkpoints = join(folder, `${name}-${stopAt}`);
      const stop = new AbortController();
      let steps = 0;
      const onStep = () => ++steps === stopAt && stop.abort();
      const stopped = prune(trained, { ...own, checkpoints, onStep, signal: stop.signal });
      await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
      const resumed = await prune(trained, { ...own, checkpoints });
      expect(Buffer.from(modelBytes(resumed.model)).equals(Buffer.from(modelBytes(plain.model)))).toBe(true);
      expect(resumed.rounds).toEqual(plain.rounds);
      const withoutTime = resumed.history.map(({ seconds: _, ...epoch }) => epoch);
      expect(withoutTime).toEqual(plain.history.map(({ seconds: _, ...epoch }) => epoch));
    }
  });

  it("loads finished phases instead of training them again", async () => {
    const checkpoints = join(folder, "finished");
    const own = { ...options, procedure: { ...rounds, count: 2, schedule: geometric }, checkpoints };
    const first = await prune(trained, own);
    expect(readdirSync(checkpoints).sort()).toEqual(["prune-round-1.safetensors", "prune-round-2.safetensors"]);
    let steps = 0;
    const second = await prune(trained, { ...own, onStep: () => steps++ });
    expect(steps).toBe(0);
    expect(modelBytes(second.model)).toEqual(modelBytes(first.model));
    const other = prune(trained, { ...own, goal: { sparsity: 0.5 } });
    await expect(other).rejects.toThrow(/the checkpoint comes from a run with other options/);
  });

  it("does not go on from the checkpoint of another run", async () => {
    const checkpoints = join(folder, "others");
    const own: PruneOptions = { ...options, procedure: gradual, checkpoints };
    await prune(trained, own);
    const others: Partial<PruneOptions>[] = [
      { goal: { sparsity: 0.5 } },
      { seed: 2 },
      { evaluation: null },
      { procedure: { ...gradual, begin: 0.1 } },
      { procedure: { ...gradual, end: 0.5 } },
      { procedure: { ...gradual, every: 3 } },
      { procedure: { ...gradual, schedule: linear } },
      { selection: { ...selection, criterion: randomCriterion } },
      { selection: { ...selection, scope: layerScope } },
      { selection: { ...selection, pattern: parsePattern("1x2") } },
      { recovery: { ...recovery, epochs: 4 } },
      { recovery: { ...recovery, rate: 0.02 } },
      { recovery: { ...recovery, schedule: constantRate } },
      { recovery: { ...recovery, optimizer: adamW({ beta2: 0.99 }) } },
      { recovery: { ...recovery, clipNorm: 1 } },
    ];
    for (const changes of others) {
      const going = prune(trained, { ...own, ...changes });
      await expect(going, JSON.stringify(changes)).rejects.toThrow(
        /the checkpoint comes from a run with other options/,
      );
    }
    // In other steps the phases have other names, so that none of them would be found.
    for (const changes of [{ goal: { maxDrop: 3 } }, { procedure: rounds }]) {
      const going = prune(trained, { ...own, ...changes });
      await expect(going, JSON.stringify(changes)).rejects.toThrow(
        /come from a run in other steps or with another goal/,
      );
    }
    await expect(prune(trained, own)).resolves.toMatchObject({ missed: null });
  });
});
