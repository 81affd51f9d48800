import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { blobs } from "../../../test/support/blobs.js";
import { runModel } from "../../../test/support/run-model.js";
import { smallModel } from "../../../test/support/small-trainer.js";
import { intTensor, toFloat32 } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { setGraphOutputs } from "../../graph/edit.js";
import type { Model, Value } from "../../graph/ir.js";
import { nodeEngine } from "../../run/node.js";
import type { TargetName } from "../losses/loss.js";
import { prepareModel } from "../prepare.js";
import { askTeacher, type Teacher, type TeacherOptions } from "./teacher.js";

const folder = mkdtempSync(join(tmpdir(), "espalier-teacher-"));
afterAll(() => rmSync(folder, { recursive: true }));

const data = blobs(100);
const options: TeacherOptions = { engine: nodeEngine, threads: 1, batchSize: 32 };

/** A prepared model and the targets that its outputs are for. */
function ready(extend: (b: Builder, output: Value) => readonly Value[]): [Model, Map<TargetName, Value>] {
  const model = smallModel();
  const [output] = model.graph.outputs;
  setGraphOutputs(model.graph, extend(new Builder(model.graph), output));
  const prepared = prepareModel(model);
  const [first, ...others] = prepared.graph.outputs;
  return [
    prepared,
    new Map<TargetName, Value>([["teacher", first], ...others.map((v) => [`teacher/${v.name}`, v] as const)]),
  ];
}

const itself = (_: Builder, output: Value) => [output];

/** [N, classes] as [2, N, classes], the way recurrent states lie. */
const stacked = (b: Builder, output: Value) => {
  const column = b.emit("Unsqueeze", [output, b.ints([0])]);
  return [b.emit("Concat", [column, b.emit("Neg", [column])], { axis: attr.int(0) })];
};

async function ask(teacher: Teacher, indices: readonly number[]) {
  const positions = Uint32Array.from(indices);
  return teacher.targetsFor(positions, await data.read(positions));
}

const asked = [99, 0, 64, 0];

describe("a teacher", () => {
  it.each([
    ["the first output", itself],
    ["a value with its examples along another axis", stacked],
  ])("says what the model says to any examples: %s", async (_, extend) => {
    const [model, wanted] = ready(extend);
    const { inputs } = await data.read(Uint32Array.from(asked));
    const [expected] = Object.values(await runModel(model, { input: inputs[0] }));
    const live = await askTeacher(model, wanted, data, { ...options, live: true });
    const kept = await askTeacher(model, wanted, data, options);
    for (const teacher of [live, kept]) {
      const { teacher: answer } = await ask(teacher, asked);
      expect(answer.dims).toEqual(expected.dims);
      for (const [i, value] of toFloat32(answer).entries()) expect(value).toBeCloseTo(toFloat32(expected)[i], 5);
      await teacher.release();
    }
    // It can still be asked.
    expect((await ask(live, asked)).teacher.dims).toEqual(expected.dims);
    await live.release();
  });

  it("is asked batch by batch where its answers would not fit in memory", async () => {
    const [model, wanted] = ready(itself);
    const kept = await askTeacher(model, wanted, data, options);
    const endless = await askTeacher(model, wanted, { ...data, size: 2 ** 31 }, options);
    const [a, b] = [await ask(kept, asked), await ask(endless, asked)];
    for (const [i, value] of toFloat32(b.teacher).entries()) expect(value).toBeCloseTo(toFloat32(a.teacher)[i], 5);
    await endless.release();
  });

  it("keeps its answers in a folder, for this model, these data and these values alone", async () => {
    let read = 0;
    const counted: Dataset = {
      ...data,
      read(indices) {
        read += indices.length;
        return data.read(indices);
      },
    };
    const cache = join(folder, "kept");
    const [model, wanted] = ready(itself);
    const first = await ask(await askTeacher(model, wanted, counted, { ...options, cache }), asked);
    const readForAll = read;
    read = 0;
    const second = await ask(await askTeacher(model, wanted, counted, { ...options, cache }), asked);
    expect(second).toEqual(first);
    expect(readForAll).toBeGreaterThan(data.size);
    expect(read).toBeLessThan(data.size / 2);
    expect(readdirSync(cache)).toHaveLength(1);

    const [other, otherWanted] = ready((b, output) => [b.emit("Neg", [output])]);
    const { teacher } = await ask(await askTeacher(other, otherWanted, data, { ...options, cache }), asked);
    for (const [i, value] of toFloat32(teacher).entries()) expect(value).toBeCloseTo(-toFloat32(first.teacher)[i], 5);
    await askTeacher(model, wanted, blobs(100, { seed: 5 }), { ...options, cache });
    expect(readdirSync(cache)).toHaveLength(3);

    for (const name of readdirSync(cache)) writeFileSync(join(cache, name), "broken");
    expect(await ask(await askTeacher(model, wanted, data, { ...options, cache }), asked)).toEqual(first);
    expect(await ask(await askTeacher(model, wanted, data, { ...options, cache }), asked)).toEqual(first);
  });

  it("answers for each example, in floats, of dims that stay", async () => {
    const [whole, wantedWhole] = ready((b, output) => [b.emit("ReduceMean", [output], { keepdims: attr.int(0) })]);
    await expect(askTeacher(whole, wantedWhole, data, options)).rejects.toThrow(
      /^value '.*' of the teacher: it cannot be learned from: it does not hold floats for each of 32 examples, but float \[\]\.$/,
    );
    const [classes, wantedClasses] = ready((b, output) => [b.emit("ArgMax", [output], { axis: attr.int(1) })]);
    await expect(askTeacher(classes, wantedClasses, data, options)).rejects.toThrow("but int64 [32,1]");

    const [model] = ready((b, output) => {
      const positive = b.emit("Cast", [b.emit("Greater", [output, b.scalar(0.3)])], { to: attr.int(7) });
      const found = b.emit("NonZero", [positive]);
      const columns = b.emit("Gather", [found, b.constant(intTensor([1], []))], { axis: attr.int(0) });
      return [output, b.emit("Gather", [output, columns], { axis: attr.int(1) }, "moving")];
    });
    const moving = model.graph.find("moving");
    if (!moving) throw new Error("no value");
    await expect(askTeacher(model, new Map([["teacher/moving", moving]]), data, options)).rejects.toThrow(
      /^value 'moving' of the teacher: its dims depend on the data: \[32,\d+\] for one batch, \[32,\d+\] for another\.$/,
    );
  });
});
