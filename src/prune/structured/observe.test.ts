import { describe, expect, it } from "vitest";
import { blobs } from "../../../test/support/blobs.js";
import { Net } from "../../../test/support/cut-model.js";
import { expectClose, runModel } from "../../../test/support/run-model.js";
import { floatTensor, toFloat32, toNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { addGraphOutput, setConstant } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import { activityStatistics } from "./activity.js";
import { buildGroups } from "./build-groups.js";
import { gatedModel } from "./gates.js";
import type { Group, Grouping, GroupSet } from "./groups.js";
import { type Activities, observe } from "./observe.js";

const seed = 70;
const size = 12;
const data = blobs(size, { dims: [1, 4, 4], classes: 3 });
const options = { engine: nodeEngine, threads: 1, data, batchSize: 4, seed };

/** Relu, max pool, flatten: one filter is four features of the next layer. A residual sum is read twice. */
function network(): { model: Model; hidden: Value } {
  const net = new Net(seed);
  const { b } = net;
  const stem = b.emit("Relu", [net.conv(net.input(["n", 1, 4, 4]), "stem", 1, 6, { kernel: 3 })]);
  const sum = b.emit("Add", [stem, b.emit("Relu", [net.conv(stem, "branch", 6, 6)])]);
  const pool = b.emit("MaxPool", [sum], { kernel_shape: attr.ints([2, 2]), strides: attr.ints([2, 2]) });
  const hidden = b.emit("Relu", [net.linear(b.emit("Flatten", [pool]), "hidden", 24, 5)]);
  return { model: net.output(net.linear(hidden, "scores", 5, 3)), hidden };
}

const setNamed = ({ sets }: Grouping, name: string): GroupSet => {
  const found = sets.find((set) => set.name === name);
  if (!found) throw new Error(`no set ${name}`);
  return found;
};

const activitiesOf = (activities: Activities, set: GroupSet) => activities.get(set) ?? [];

/** -log softmax of the right class of each example, of a model that is fed all of them. */
async function losses(model: Model): Promise<number[]> {
  const batch = await data.read([...Array(size).keys()]);
  const [scores] = Object.values(await runModel(model, { input: batch.inputs[0] }));
  const labels = toNumbers(batch.labels ?? scores);
  const rows = toFloat32(scores);
  return labels.map((label, i) => {
    const row = [...rows.subarray(3 * i, 3 * i + 3)];
    return Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[label];
  });
}

describe("what units give on data", () => {
  it("are the moments of what flows into sums", async () => {
    const { model, hidden } = network();
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const [found] = activitiesOf(
      await observe(grouping, new Set(), ["mean", "magnitude", "square", "zeros"], options),
      setNamed(grouping, "hidden"),
    );
    addGraphOutput(model.graph, hidden);
    const { inputs } = await data.read([...Array(size).keys()]);
    const rows = toFloat32((await runModel(model, { input: inputs[0] }))[hidden.name]);
    const column = (unit: number) => Array.from({ length: size }, (_, i) => rows[5 * i + unit]);
    const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / numbers.length;
    const expected = (of: (a: number) => number) => [0, 1, 2, 3, 4].map((unit) => mean(column(unit).map(of)));
    expectClose(
      [...found.statistic("mean")],
      expected((a) => a),
      1e-6,
    );
    expectClose([...found.statistic("magnitude")], expected(Math.abs), 1e-6);
    expectClose(
      [...found.statistic("square")],
      expected((a) => a * a),
      1e-6,
    );
    expectClose(
      [...found.statistic("zeros")],
      expected((a) => Number(a === 0)),
      1e-6,
    );
    expect(found.readers.map(({ value }) => value.name)).toEqual(["scores"]);
  });

  it("move the loss as central differences of a factor before the unit", async () => {
    const { model } = network();
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const found = await observe(grouping, new Set(), ["taylor", "taylorMagnitude", "taylorSquare"], options);
    const h = 5e-4;
    for (const name of ["stem", "hidden"]) {
      const set = setNamed(grouping, name);
      const [first, ...others] = activitiesOf(found, set);
      const total = (group: number) =>
        [first, ...others].reduce((sum, activity) => sum + activity.statistic("taylor")[group], 0);
      for (const group of [0, 3]) {
        const at = async (factor: number) => losses(await scaled(grouping, set.groups[group], factor));
        const [up, down] = [await at(1 + h), await at(1 - h)];
        const derivatives = up.map((loss, i) => (loss - down[i]) / (2 * h));
        const mean = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0) / size;
        expectClose([total(group)], [mean(derivatives)], 2e-3);
        if (others.length > 0) continue;
        expectClose([first.statistic("taylorMagnitude")[group]], [mean(derivatives.map(Math.abs))], 2e-3);
        expectClose([first.statistic("taylorSquare")[group]], [mean(derivatives.map((t) => t * t))], 2e-3);
      }
    }
    expect(
      activitiesOf(found, setNamed(grouping, "stem")).map(({ value, axis }) => `${value.name} ${axis}`).length,
    ).toBe(2);
  });

  it("of removed units are those of the network without them", async () => {
    const { model } = network();
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const set = setNamed(grouping, "stem");
    const removed = new Set([set.groups[1], set.groups[4]]);
    const whole = await observe(grouping, new Set(), ["square"], options);
    const less = await observe(grouping, removed, ["square"], options);
    const squares = (activities: Activities, name: string) => [
      ...activitiesOf(activities, setNamed(grouping, name))[0].statistic("square"),
    ];
    expect(squares(less, "stem")[1]).toBe(0);
    expect(squares(less, "stem")[0]).toBe(squares(whole, "stem")[0]);
    expect(squares(less, "hidden")).not.toEqual(squares(whole, "hidden"));
  });

  it("all at once are as one by one, whatever the batch", async () => {
    const { model } = network();
    const grouping = await buildGroups(model, { engine: nodeEngine });
    const all = await observe(grouping, new Set(), activityStatistics, options);
    for (const statistic of activityStatistics) {
      const alone = await observe(grouping, new Set(), [statistic], { ...options, batchSize: 6 });
      for (const [set, activities] of all) {
        for (const [i, activity] of activities.entries()) {
          const other = alone.get(set)?.[i].statistic(statistic) ?? [];
          expectClose([...activity.statistic(statistic)], [...other], 1e-5);
        }
      }
    }
  });

  it("takes batches as large as the data where these are fewer than a batch", async () => {
    const grouping = await buildGroups(network().model, { engine: nodeEngine });
    const set = setNamed(grouping, "hidden");
    const [few, given] = await Promise.all(
      [undefined, size].map((batchSize) => observe(grouping, new Set(), ["mean", "taylor"], { ...options, batchSize })),
    );
    const mean = (of: Activities) => [...activitiesOf(of, set)[0].statistic("mean")];
    expect(mean(few)).toEqual(mean(given));
  });

  it("need labels for gradients, and examples that fit", async () => {
    const grouping = await buildGroups(network().model, { engine: nodeEngine });
    const unlabelled = { ...options, data: { ...data, labelKind: null } };
    await expect(observe(grouping, new Set(), ["taylor"], unlabelled)).rejects.toThrow(/needs labels/);
    expect((await observe(grouping, new Set(), ["mean"], unlabelled)).size).toBe(2);
    const noClassifier = new Net(seed);
    const maps = noClassifier.conv(noClassifier.input(["n", 1, 4, 4]), "a", 1, 6);
    const pictures = await buildGroups(noClassifier.output(noClassifier.conv(maps, "b", 6, 2)), { engine: nodeEngine });
    await expect(observe(pictures, new Set(), ["taylor"], options)).rejects.toThrow(
      /expected a row of class scores for each label, got scores \[4,2,4,4\]/,
    );
    const other = { ...options, data: blobs(8, { dims: [1, 5, 5] }) };
    await expect(observe(grouping, new Set(), ["mean"], other)).rejects.toThrow(/the data have \[1,5,5\]/);
    await expect(observe(grouping, new Set(), ["mean"], { ...options, batchSize: 99 })).rejects.toThrow(
      /12 examples do not fill one batch of 99/,
    );
  });
});

/** The network with a factor where it sums over what the group gives. */
async function scaled(grouping: Grouping, group: Group, factor: number): Promise<Model> {
  const { model, gates } = gatedModel(grouping, new Set([group]));
  for (const { gated } of gates) {
    const mask = gated.producer?.inputs[1];
    if (!mask?.initializer) throw new Error("a gate multiplies by a constant");
    const { dims } = mask.initializer;
    const values = Float32Array.from(toFloat32(mask.initializer), (x) => (x === 0 ? factor : 1));
    setConstant(mask, floatTensor(dims, values));
  }
  return model;
}
