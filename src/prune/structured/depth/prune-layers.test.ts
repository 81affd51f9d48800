import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ResidualNet } from "../../../../test/support/residual-nets.js";
import { runModel } from "../../../../test/support/run-model.js";
import { temporaryFolder } from "../../../../test/support/temporary-folder.js";
import { randomStream } from "../../../base/random.js";
import { floatTensor, Tensor, toFloat32 } from "../../../base/tensor.js";
import { createArrayDatasets } from "../../../data/array-dataset.js";
import type { Dataset } from "../../../data/dataset.js";
import { constantOf } from "../../../graph/constant.js";
import type { Model } from "../../../graph/ir.js";
import { writtenBytes } from "../../../onnx/file.js";
import { modelBytes } from "../../../onnx/write.js";
import { countMacs, countParameters } from "../../../ops/cost.js";
import { exampleInputs } from "../../../run/example.js";
import { nodeEngine } from "../../../run/node.js";
import { traceModel } from "../../../run/trace.js";
import { evaluate } from "../../../train/evaluate.js";
import { linear } from "../../schedules/linear.js";
import type { CutGoal } from "../goal.js";
import { type PruneLayersOptions, pruneLayers } from "./prune-layers.js";

const seed = 140;
const size = 6;
const folder = temporaryFolder();
const engine = nodeEngine;

/** Four residual layers over vectors of 6, a classifier of 3 classes. */
function build(without: readonly string[] = []): Model {
  const net = new ResidualNet(seed, without);
  let x = net.linear(net.input(["batch", size]), "embed", size, size);
  for (const name of ["a", "b", "c", "d"]) {
    x = net.residual(name, x, (y) => {
      const hidden = net.b.emit("Tanh", [net.linear(y, `${name}.up`, size, 8)]);
      return net.linear(hidden, `${name}.down`, 8, size);
    });
  }
  return net.output(net.linear(x, "head", size, 3));
}

/** 96 examples; the class is where the largest of three sums of two features is. */
function examples(labelled = true): Dataset {
  const random = randomStream(seed, "examples");
  const values = Float32Array.from({ length: 96 * size }, () => random.normal());
  const sumsOf = (row: number) => [0, 2, 4].map((i) => values[row * size + i] + values[row * size + i + 1]);
  const classes = BigInt64Array.from({ length: 96 }, (_, row) => BigInt(sumsOf(row).indexOf(Math.max(...sumsOf(row)))));
  const labels = labelled ? Tensor.fromArray("int64", [96], classes) : null;
  const train = { name: "made up", inputs: [{ name: null, tensor: floatTensor([96, size], values) }], labels };
  return createArrayDatasets({ train, test: null, classNames: null }, {}).train;
}

const data = examples();
const recovery = { data, epochs: 2, batchSize: 16, rate: 0.01 };
const inRounds: PruneLayersOptions = {
  engine,
  threads: 1,
  seed: 5,
  goal: { sparsity: 0.75 },
  rounds: { count: 3, schedule: linear },
  recovery,
  evaluation: data,
};
const alone: PruneLayersOptions = { engine, goal: { sparsity: 0.5 } };
const removedIn = ({ layers }: Awaited<ReturnType<typeof pruneLayers>>) =>
  layers.filter(({ removed }) => removed).map(({ layer }) => layer.name);
function weight(model: Model, name: string): Float32Array {
  const tensor = constantOf(model.graph.find(name) ?? null);
  if (!tensor) throw new Error(`no ${name}`);
  return toFloat32(tensor);
}

/** A network that has learnt, so that there is something to lose. */
async function trained(): Promise<Model> {
  const result = await pruneLayers(build(["d"]), { ...inRounds, goal: { sparsity: 0.34 }, rounds: undefined });
  return result.model;
}

describe("layers that leave in rounds", () => {
  it("are chosen anew each time, by what the network that is left and has learnt does", async () => {
    const shares: number[] = [];
    const result = await pruneLayers(build(), { ...inRounds, onEpoch: ({ sparsity }) => shares.push(sparsity) });
    expect(shares).toEqual([0.25, 0.25, 0.5, 0.5, 0.75, 0.75]);
    expect(result.history.map(({ phase, epoch }) => `${phase} ${epoch}`)).toEqual(
      [1, 2, 3].flatMap((round) => [1, 2].map((epoch) => `prune-round-${round} ${epoch}`)),
    );
    // What goes next is what goes first of the network as the rounds before have left it.
    const order: string[] = [];
    let model = build();
    for (const count of [1, 2, 3]) {
      const next = await pruneLayers(model, {
        ...inRounds,
        rounds: undefined,
        goal: { sparsity: 1 / (5 - count) },
        recovery: { ...recovery, epochs: 0 },
      });
      order.push(...removedIn(next));
      const rounds = { count, schedule: linear };
      const cut = await pruneLayers(build(), { ...inRounds, goal: { sparsity: count / 4 }, rounds });
      expect(removedIn(cut).sort()).toEqual([...order].sort());
      model = cut.model;
    }
    expect(modelBytes(model)).toEqual(modelBytes(result.model));
    // What is given back is what was trained and judged.
    expect(await evaluate(result.model, data, { engine, threads: 1 })).toEqual(result.after);
    const untrained = await pruneLayers(build(), { ...inRounds, recovery: { ...recovery, epochs: 0 } });
    expect(result.after?.loss).toBeLessThan(0.75 * (untrained.after?.loss ?? 0));
  });

  it("stopped and resumed give the same bytes as none", async () => {
    const plain = await pruneLayers(build(), inRounds);
    for (const stopAt of [5, 20, 30]) {
      const checkpoints = join(folder(), `${stopAt}`);
      const stop = new AbortController();
      let steps = 0;
      const onStep = () => ++steps === stopAt && stop.abort();
      const stopped = pruneLayers(build(), { ...inRounds, checkpoints, onStep, signal: stop.signal });
      await expect(stopped).rejects.toMatchObject({ code: "interrupted" });
      expect(existsSync(checkpoints) && readdirSync(checkpoints).length > 0).toBe(stopAt > 6);
      const resumed = await pruneLayers(build(), { ...inRounds, checkpoints });
      expect(Buffer.from(modelBytes(resumed.model)).equals(Buffer.from(modelBytes(plain.model)))).toBe(true);
      expect(removedIn(resumed)).toEqual(removedIn(plain));
    }
  });

  it("learn without labels from what the original answers", async () => {
    const unlabelled = { ...recovery, data: examples(false), epochs: 8 };
    const distance = async (epochs: number) => {
      const options = { ...inRounds, evaluation: null, recovery: { ...unlabelled, epochs } };
      const { model, after } = await pruneLayers(build(), options);
      expect(after).toBeNull();
      const { inputs } = await data.read([0, 1, 2, 3]);
      const [ours, whole] = await Promise.all([model, build()].map((each) => runModel(each, { input: inputs[0] })));
      const [a, b] = [ours, whole].map((outputs) => toFloat32(Object.values(outputs)[0]));
      return Math.hypot(...a.map((value, i) => value - b[i]));
    };
    expect(await distance(8)).toBeLessThan((await distance(0)) / 2);
  });

  it("stay where their weights shall stay as they are", async () => {
    const freeze = ["b.*", "c.up"];
    const result = await pruneLayers(build(), {
      ...inRounds,
      goal: { sparsity: 0.5 },
      recovery: { ...recovery, freeze },
    });
    expect(result.layers.map(({ layer }) => layer.name)).toEqual(["a", "d"]);
    expect(weight(result.model, "b.down")).toEqual(weight(build(), "b.down"));
    expect(weight(result.model, "c.down")).not.toEqual(weight(build(), "c.down"));
  });
});

describe("how far layers are taken out", () => {
  const measures: Record<string, (model: Model) => number | Promise<number>> = {
    parameters: (model) => countParameters(model.graph).parameters,
    macs: async (model) => {
      const trace = await traceModel(model, exampleInputs(model), engine);
      return countMacs(model.graph, trace).reduce((sum, { macs }) => sum + macs, 0);
    },
    targetSize: (model) => writtenBytes(model, {}),
  };

  it.each([
    ["parameters", (count: number): CutGoal => ({ parameters: { count } })],
    ["macs", (count: number): CutGoal => ({ macs: { count } })],
    ["targetSize", (targetSize: number): CutGoal => ({ targetSize })],
  ])("as few as leave so many %s", async (name, goalOf) => {
    const measure = measures[name];
    const [one, two] = await Promise.all(
      [0.25, 0.5].map(async (sparsity) => (await pruneLayers(build(), { ...alone, goal: { sparsity } })).model),
    );
    const [left, fewer] = [await measure(one), await measure(two)];
    for (const [limit, gone] of [
      [left, 1],
      [left - 1, 2],
      [fewer, 2],
    ] as const) {
      const result = await pruneLayers(build(), { ...alone, goal: goalOf(limit) });
      expect(removedIn(result)).toHaveLength(gone);
      expect(await measure(result.model)).toBeLessThanOrEqual(limit);
    }
    const tooLittle = pruneLayers(build(), { ...alone, goal: goalOf(10) });
    await expect(tooLittle).rejects.toMatchObject({ code: "target-not-reached" });
  });

  it("as many as cost no more than some points of accuracy", async () => {
    const model = await trained();
    const search = (maxDrop: number) =>
      pruneLayers(model, { ...inRounds, rounds: undefined, recovery: { ...recovery, epochs: 1 }, goal: { maxDrop } });
    const generous = await search(100);
    expect(removedIn(generous)).toHaveLength(1);
    const careful = await search(0.5);
    const accuracyOf = (evaluation: typeof careful.before) => evaluation?.accuracy ?? Number.NaN;
    const held = accuracyOf(careful.before) - accuracyOf(careful.after) <= 0.005 + 1e-9;
    expect(careful.missed === null).toBe(held);
    expect(careful.rounds.length).toBeGreaterThan(0);
  });

  it("refuses rounds that are none, and drops without labels", async () => {
    const none = pruneLayers(build(), { ...alone, rounds: { count: 0, schedule: linear } });
    await expect(none).rejects.toThrow(/0 rounds/);
    const drop = pruneLayers(build(), { ...alone, goal: { maxDrop: 1 } });
    await expect(drop).rejects.toThrow(/labelled data/);
  });
});
