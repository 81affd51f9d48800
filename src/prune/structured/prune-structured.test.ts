import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { freshModel, judge, recovery, train, trainedModel } from "../../../test/support/pruning.js";
import { temporaryFolder } from "../../../test/support/temporary-folder.js";
import { floatTensor, toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { cloneModel } from "../../graph/clone.js";
import { constantOf } from "../../graph/constant.js";
import { setConstant } from "../../graph/edit.js";
import type { Model } from "../../graph/ir.js";
import { writtenBytes } from "../../onnx/file.js";
import { modelBytes } from "../../onnx/write.js";
import { countMacs, countParameters } from "../../ops/cost.js";
import { exampleInputs } from "../../run/example.js";
import { nodeEngine } from "../../run/node.js";
import { traceModel } from "../../run/trace.js";
import { evaluate } from "../../train/evaluate.js";
import { geometric } from "../schedules/geometric.js";
import { structuredCriteria } from "./criteria/all.js";
import { taylor } from "./criteria/gradient.js";
import { l1 } from "./criteria/norm.js";
import { normalizationScale } from "./criteria/scale.js";
import { reportCut } from "./cut-report.js";
import { membersOf } from "./members.js";
import { pruneStructured, type StructuredOptions } from "./prune-structured.js";
import { type RefitResult, refit } from "./refit/refit.js";

const trained = await trainedModel();
const folder = temporaryFolder();

const options: StructuredOptions = {
  engine: nodeEngine,
  threads: 1,
  seed: 3,
  criterion: l1(),
  roundTo: 1,
  goal: { sparsity: 0.5 },
  rounds: { count: 2, schedule: geometric },
  recovery: { ...recovery, epochs: 2 },
  evaluation: judge,
};
const untrained: StructuredOptions = { ...options, recovery: null, rounds: undefined };

const macsOf = async (model: Model) => {
  const trace = await traceModel(model, exampleInputs(model), nodeEngine);
  return countMacs(model.graph, trace).reduce((sum, { macs }) => sum + macs, 0);
};

describe("cuts in rounds", () => {
  it("train between, keep what is gone gone, and leave the original alone", async () => {
    const bytes = modelBytes(trained);
    const shares: number[] = [];
    const result = await pruneStructured(trained, { ...options, onEpoch: ({ sparsity }) => shares.push(sparsity) });
    expect(modelBytes(trained)).toEqual(bytes);
    // Of 4 filters and 24 neurons 1 - sqrt(0.5) go first.
    expect(shares).toEqual([8 / 28, 8 / 28, 14 / 28, 14 / 28]);
    expect(result.history.map(({ phase, epoch }) => `${phase} ${epoch}`)).toEqual([
      "prune-round-1 1",
      "prune-round-1 2",
      "prune-round-2 1",
      "prune-round-2 2",
    ]);
    const conv = constantOf(result.model.graph.find("conv.weight") ?? null);
    expect(conv?.dims).toEqual([2, 1, 3, 3]);
    // What is given back is what was trained and judged, and it has learnt something.
    const again = await evaluate(result.model, judge, { engine: nodeEngine, threads: 1 });
    expect(again).toEqual(result.after);
    const cutAlone = await pruneStructured(trained, untrained);
    expect(result.after?.loss).toBeLessThan(cutAlone.after?.loss ?? 0);
    expect(result.before?.accuracy).toBe((await evaluate(trained, judge, { engine: nodeEngine, threads: 1 })).accuracy);
  });

  it("come to the original's indices: without training they are one cut", async () => {
    const twice = await pruneStructured(trained, { ...untrained, rounds: options.rounds });
    const once = await pruneStructured(trained, untrained);
    expect(reportCut(twice.grouping, twice.removed)).toEqual(reportCut(once.grouping, once.removed));
    expect(modelBytes(twice.model)).toEqual(modelBytes(once.model));
  });

  it.each([
    ["a cut", {}, [3, 20, 31]],
    ["data that are looked at", { criterion: taylor }, [20]],
    ["fading", { rounds: undefined, fadeEpochs: 1 }, [4, 12]],
    ["a search", { goal: { maxDrop: 10 }, rounds: undefined }, [25]],
    ["distillation", { recovery: { ...recovery, epochs: 2, teacher: 1 } }, [20]],
  ] as [string, Partial<StructuredOptions>, number[]][])(
    "stopped and resumed give the same bytes as none: %s",
    async (name, changes, stops) => {
      const own = { ...options, ...changes };
      const plain = await pruneStructured(trained, own);
      for (const stopAt of stops) {
        const checkpoints = join(folder(), `${name}-${stopAt}`);
        const stop = new AbortController();
        let steps = 0;
        const onStep = () => ++steps === stopAt && stop.abort();
        const stopped = pruneStructured(trained, { ...own, checkpoints, onStep, signal: stop.signal });
        await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
        expect(existsSync(checkpoints) && readdirSync(checkpoints).length > 0).toBe(stopAt > 8);
        const resumed = await pruneStructured(trained, { ...own, checkpoints });
        expect(Buffer.from(modelBytes(resumed.model)).equals(Buffer.from(modelBytes(plain.model)))).toBe(true);
        expect(resumed.rounds).toEqual(plain.rounds);
      }
    },
  );

  it("let units fade away first, so that they are hardly missed", async () => {
    const own = { ...options, rounds: undefined, recovery: { ...recovery, epochs: 0 } };
    const alone = await pruneStructured(trained, own);
    const faded = await pruneStructured(trained, { ...own, fadeEpochs: 4 });
    expect(faded.history.map(({ phase, sparsity }) => `${phase} ${sparsity}`)).toEqual(Array(4).fill("prune-fade-1 0"));
    // The same groups, chosen before, whose weights have gone by a thousandth or so.
    expect(reportCut(faded.grouping, faded.removed)).toEqual(reportCut(alone.grouping, alone.removed));
    const norm = (result: typeof faded, gone: boolean) => {
      const [filters] = result.grouping.sets;
      const [member] = membersOf(filters);
      const norms = member.sums(Math.abs);
      return filters.groups.reduce((sum, group, i) => sum + (result.removed.has(group) === gone ? norms[i] : 0), 0);
    };
    expect(norm(faded, true)).toBeLessThan(0.02 * norm(alone, true));
    expect(norm(faded, false)).toBeGreaterThan(0.3 * norm(alone, false));
    expect(faded.after?.loss).toBeLessThan((alone.after?.loss ?? 0) / 2);
  });

  it("fit what lost inputs to what it gave before, on examples without labels", async () => {
    const data: Dataset = { ...train, labelKind: null };
    const own = { ...options, recovery: { ...recovery, data, epochs: 0 } };
    const alone = await pruneStructured(trained, own);
    const fits: string[][] = [];
    const onRefit = ({ refitted }: RefitResult) => fits.push(refitted.map(({ name }) => name));
    const fitted = await pruneStructured(trained, { ...own, refit: true, onRefit });
    expect(fits).toEqual([
      ["fc1.weight", "fc2.weight"],
      ["fc1.weight", "fc2.weight"],
    ]);
    expect(reportCut(fitted.grouping, fitted.removed).tensors["conv.weight"]).toEqual(
      reportCut(alone.grouping, alone.removed).tensors["conv.weight"],
    );
    // What the library gives can be handed on as it is, judged or not.
    const byHand = await refit(await pruneStructured(trained, { ...own, rounds: undefined }), data, {
      engine: nodeEngine,
      batchSize: 32,
      seed: 3,
    });
    expect(byHand.refitted.map(({ name }) => name)).toEqual(fits[0]);
    expect(fitted.after?.loss).toBeLessThan(0.8 * (alone.after?.loss ?? 0));
    // However the examples are put into batches, 256 of them are looked at.
    const oneByOne: string[] = [];
    const single = { ...own, rounds: undefined, recovery: { ...own.recovery, batchSize: 1 } };
    const onSingle = ({ refitted }: RefitResult) => oneByOne.push(...refitted.map(({ name }) => name));
    await pruneStructured(trained, { ...single, refit: true, onRefit: onSingle });
    expect(oneByOne).toEqual(fits[0]);
    const again = await pruneStructured(trained, { ...own, refit: true });
    expect(modelBytes(again.model)).toEqual(modelBytes(fitted.model));
  });

  it("give the last good weights when training explodes", async () => {
    const { missed, model } = await pruneStructured(trained, { ...options, recovery: { ...recovery, rate: 1e12 } });
    expect(missed?.code).toBe("diverged");
    expect(constantOf(model.graph.find("conv.weight") ?? null)?.array.every(Number.isFinite)).toBe(true);
  });
});

describe("goals", () => {
  it.each([0.3, 0.6])("MACs: no more than %f stays, and one unit more would be too much", async (share) => {
    const whole = await macsOf(trained);
    const counted = await pruneStructured(trained, { ...untrained, goal: { macs: { count: share * whole } } });
    const left = await macsOf(counted.model);
    expect(left).toBeLessThanOrEqual(share * whole);
    expect(left).toBeGreaterThan(share * whole - whole / 4);
    const shared = await pruneStructured(trained, { ...untrained, goal: { macs: { share } } });
    expect(modelBytes(shared.model)).toEqual(modelBytes(counted.model));
  });

  it("parameters", async () => {
    const { parameters } = countParameters(trained.graph);
    const { model } = await pruneStructured(trained, { ...untrained, goal: { parameters: { share: 0.4 } } });
    const left = countParameters(model.graph).parameters;
    expect(left).toBeLessThanOrEqual(0.4 * parameters);
    expect(left).toBeGreaterThan(0.25 * parameters);
  });

  it("bytes of the file, in rounds", async () => {
    const bytes = writtenBytes(trained, {});
    const targetSize = Math.round(bytes / 3);
    const { model, history } = await pruneStructured(trained, { ...options, goal: { targetSize } });
    expect(writtenBytes(model, {})).toBeLessThanOrEqual(targetSize);
    expect(writtenBytes(model, {})).toBeGreaterThan(targetSize / 2);
    expect(history[0].sparsity).toBeLessThan(history[3].sparsity);
  });

  it("a drop of accuracy: the most that keeps it", async () => {
    const result = await pruneStructured(trained, { ...options, rounds: undefined, goal: { maxDrop: 5 } });
    const [before, after] = [result.before?.accuracy ?? 0, result.after?.accuracy ?? 0];
    expect(before - after).toBeLessThanOrEqual(0.05);
    expect(result.rounds.some(({ kept }) => kept === true)).toBe(true);
    const held = result.rounds.filter(({ kept }) => kept).map(({ sparsity }) => sparsity);
    expect(Math.max(...held)).toBe(result.removed.size / 28);
    expect(result.missed).toBeNull();
  });

  it("that cannot be reached end with what can", async () => {
    const size = pruneStructured(trained, { ...untrained, goal: { targetSize: 100 } });
    await expect(size).rejects.toThrow(/the target is 100, the least that can be left \d+/);
    await expect(size).rejects.toMatchObject({ code: "target-not-reached" });
    const parameters = pruneStructured(trained, { ...untrained, goal: { parameters: { count: 5 } } });
    await expect(parameters).rejects.toMatchObject({ code: "target-not-reached" });
    const unlabelled = { ...options, evaluation: null, goal: { maxDrop: 1 } };
    await expect(pruneStructured(trained, unlabelled)).rejects.toThrow(/need a classifier and labelled data/);
  });
});

describe("what is asked for", () => {
  it("says before anything is trained that all is frozen", async () => {
    let steps = 0;
    const all = { ...recovery, epochs: 1, freeze: ["*"] };
    const pruned = pruneStructured(trained, { ...options, fadeEpochs: 1, recovery: all, onStep: () => steps++ });
    await expect(pruned).rejects.toMatchObject({ code: "bad-usage", what: expect.stringContaining("frozen") });
    expect(steps).toBe(0);
  });

  it("leaves frozen tensors as they are, also the inputs that they read", async () => {
    const own = { ...options, rounds: undefined, recovery: { ...recovery, epochs: 1, freeze: ["fc1.weight"] } };
    // Filters are inputs of it, neurons its outputs.
    await expect(pruneStructured(trained, own)).rejects.toMatchObject({ code: "bad-usage" });
    const conv = { ...options, rounds: undefined, recovery: { ...recovery, epochs: 1, freeze: ["conv.weight"] } };
    const result = await pruneStructured(trained, conv);
    const weight = ({ graph }: Model) => constantOf(graph.find("conv.weight") ?? null)?.array;
    expect(weight(result.model)).toEqual(weight(trained));
    expect(result.removed.size).toBe(12);
    const nothing = { ...options, recovery: { ...recovery, epochs: 0, freeze: ["nonesuch"] } };
    await expect(pruneStructured(trained, nothing)).rejects.toThrow(/no trained tensor is called 'nonesuch'/);
  });

  it("counts MACs as models are measured, with free axes of 1", async () => {
    const net = new Net(80);
    const h = net.b.emit("Relu", [net.conv(net.input(["n", 3, "h", "w"]), "a", 3, 16, { kernel: 3 })]);
    const mean = net.b.emit("GlobalAveragePool", [net.conv(h, "b", 16, 32)]);
    const model = net.output(net.linear(net.b.emit("Flatten", [mean]), "fc", 32, 40));
    const own = { engine: nodeEngine, criterion: l1(), roundTo: 1, goal: { macs: { share: 0.5 } } };
    const result = await pruneStructured(model, own);
    expect(await macsOf(result.model)).toBeLessThanOrEqual((await macsOf(result.grouping.model)) / 2);
  });

  it("keeps the cut's weights where too few examples can be looked at, and says so", async () => {
    // The last layer has 13 unknowns, all others more.
    const few = { ...train, size: 8 };
    const reasons: string[] = [];
    const own = { ...options, rounds: undefined, recovery: { ...recovery, data: few, epochs: 0, batchSize: 8 } };
    const onRefit = ({ skipped }: RefitResult) => reasons.push(...skipped.map(({ reason }) => reason));
    const alone = await pruneStructured(trained, own);
    const refitted = await pruneStructured(trained, { ...own, refit: true, onRefit });
    expect(reasons).toEqual([expect.stringMatching(/^no layer can be refitted: .*: needs \d+ rows, the data give 8/)]);
    const weight = ({ graph }: Model) => constantOf(graph.find("fc1.weight") ?? null)?.array;
    expect(weight(refitted.model)).toEqual(weight(alone.model));
  });

  it("ends a search that can take no more out", async () => {
    const own = { ...untrained, maxSparsity: 0.3, goal: { maxDrop: 100 } };
    const { rounds } = await pruneStructured(trained, own);
    expect(rounds.length).toBeLessThan(4);
  });

  it("must make sense", async () => {
    await expect(pruneStructured(trained, { ...untrained, refit: true })).rejects.toThrow(/no data to fit/);
    const none = { ...untrained, rounds: { count: 0, schedule: geometric } };
    await expect(pruneStructured(trained, none)).rejects.toThrow(/0 rounds/);
    const { model } = cloneModel(trained);
    const value = model.graph.find("fc1.weight");
    const tensor = constantOf(value ?? null);
    if (!value || !tensor) throw new Error("no fc1.weight");
    setConstant(value, floatTensor(tensor.dims, toFloat32(tensor).with(7, Number.NaN)));
    await expect(pruneStructured(model, untrained)).rejects.toThrow(/'fc1.weight': it has elements that are NaN/);
  });
});

describe("every criterion", () => {
  it.each(structuredCriteria.map((criterion) => [criterion.name, criterion] as const))(
    "%s cuts",
    async (name, criterion) => {
      const data = { ...recovery, data: train, epochs: 0 };
      const result = await pruneStructured(trained, { ...options, rounds: undefined, criterion, recovery: data });
      // Only the filters have a normalization behind them.
      const whole = name === "bn-scale" ? ["fc1.weight"] : [];
      expect(result.unjudged.map((set) => set.name)).toEqual(whole);
      expect(result.removed.size).toBe(whole.length > 0 ? 2 : 14);
      expect(result.history).toEqual([]);
    },
  );

  it("that looks at data needs some", async () => {
    await expect(pruneStructured(trained, { ...untrained, criterion: taylor })).rejects.toThrow(/looks at data/);
  });

  it("finds filters by the scale of their normalization", async () => {
    const { grouping, removed } = await pruneStructured(freshModel(), { ...untrained, criterion: normalizationScale });
    expect([...removed].every((group) => grouping.sets[0].groups.includes(group))).toBe(true);
  });
});
