import { EspalierError } from "../../base/errors.js";
import { assertGoesOn } from "../../base/interruption.js";
import { toFloat32 } from "../../base/tensor.js";
import { batches } from "../../data/batches.js";
import type { Batch, Dataset } from "../../data/dataset.js";
import { attr } from "../../graph/attribute.js";
import { Builder } from "../../graph/builder.js";
import { addGraphOutput, setGraphOutputs, setType } from "../../graph/edit.js";
import { fixedBatch } from "../../graph/example-axes.js";
import type { Model, Value } from "../../graph/ir.js";
import { modelBytes } from "../../onnx/write.js";
import { readersOf } from "../../ops/constant-view.js";
import { emitGradients } from "../../passes/autodiff.js";
import { removeDead } from "../../passes/remove-dead.js";
import type { Engine, Tensors } from "../../run/session.js";
import { batchSizeOf } from "../../train/compile-for.js";
import { inputNames } from "../../train/input-names.js";
import { labelTargets } from "../../train/label-targets.js";
import { emitLoss } from "../../train/loss-graph.js";
import { checkInputs } from "../../train/predict.js";
import { specializeModel, traceExpanded } from "../../train/prepare.js";
import { takeBranches } from "../../train/taken-branches.js";
import { lossOfLabels } from "../../train/teacher/lesson.js";
import type { StatisticsOptions } from "../statistics.js";
import { Activity, type ActivityStatistic, takesGradient } from "./activity.js";
import { type Gate, gatedModel } from "./gates.js";
import type { Group, Grouping, GroupSet } from "./groups.js";
import { membersOf } from "./members.js";
import { Tally } from "./tally.js";

export type Activities = ReadonlyMap<GroupSet, readonly Activity[]>;

/**
 * Gathers what the units of a network give, and what the loss asks of them, in one pass over 6,400 examples or the given
 * number of batches. Branches that the examples take are looked into; of units that are summed up in others, and in bodies
 * of Loop and Scan, nothing is seen. What leaves onnxruntime is one number for each example and channel; nothing else is kept.
 * @param removed groups that count as zero, and say nothing.
 * Throws `bad-data` when model and data do not fit, or for gradients without labels; `unsupported` for an operator that
 * no gradient passes; `interrupted` when the signal stopped it.
 */
export async function observe(
  grouping: Grouping,
  removed: ReadonlySet<Group>,
  statistics: readonly ActivityStatistic[],
  { engine, threads, data, batchSize, batchCount, seed, signal }: StatisticsOptions,
): Promise<Activities> {
  checkInputs(grouping.model.graph.requiredInputs, data);
  const usual = fixedBatch(grouping.model.graph.requiredInputs) ?? Math.min(64, data.size);
  const size = batchSizeOf(grouping.model, data, batchSize ?? usual);
  const most = batchCount ?? Math.ceil(6400 / size);
  const order = { batchSize: size, seed, shuffle: true, dropLast: true };
  const { model, gates: all } = gatedModel(grouping, removed, { everywhere: true });
  const inputs = model.graph.requiredInputs.map(({ name }) => name);
  const looked = async function* () {
    let done = 0;
    for await (const { batch } of batches(data, order)) {
      assertGoesOn(signal, "stopped while looking at activations");
      yield { feeds: feedsOf(inputs, batch), batch };
      if (++done === most) return;
    }
  };
  const feedsAlone = async function* () {
    for await (const { feeds } of looked()) yield feeds;
  };
  await takeBranches(model, feedsAlone, { engine, threads });
  const gates = all.flatMap((gate) => {
    const gated = model.graph.values.get(gate.gated.name);
    return gated ? [{ ...gate, gated }] : [];
  });
  const backward = statistics.some(takesGradient) ? await emitBackward(model, gates, data, size, engine) : null;
  const watch = emitReductions(model, gates, statistics, grouping, backward?.gradients ?? new Map());
  const tallies = watch.map(({ gate, outputs }) => ({
    outputs,
    columns: grouping.trace.dims(gate.value)[gate.axis],
    places: placesOf(grouping, gate).map((place) => ({ place, tally: new Tally(place.positions, statistics, size) })),
  }));
  if (watch.length === 0) return new Map();
  const session = await engine.load(modelBytes(model), { threads });
  try {
    for await (const { feeds, batch } of looked()) {
      const results = await session.run({ ...feeds, ...backward?.targets(batch) });
      for (const { outputs, columns, places } of tallies) {
        const rows = new Map([...outputs].map(([statistic, name]) => [statistic, toFloat32(results[name])]));
        for (const { tally } of places) tally.add(rows, columns);
      }
    }
  } finally {
    await session.release();
  }
  const found = new Map<GroupSet, Activity[]>();
  for (const { place, tally } of tallies.flatMap(({ places }) => places)) {
    const activities = found.get(place.set) ?? [];
    activities.push(new Activity(place, tally.result()));
    found.set(place.set, activities);
  }
  return found;
}

const feedsOf = (inputs: readonly string[], batch: Batch): Tensors =>
  Object.fromEntries(inputs.map((name, i) => [name, batch.inputs[i]]));

interface Backward {
  /** Of the sum of the examples' losses, by gated value. */
  gradients: ReadonlyMap<Value, Value>;
  targets(batch: Batch): Tensors;
}

/** Adds loss and backward pass to the model, whose shapes are fixed to those of a batch. */
async function emitBackward(
  model: Model,
  gates: readonly Gate[],
  data: Dataset,
  size: number,
  engine: Engine,
): Promise<Backward> {
  if (!data.labelKind) {
    throw new EspalierError("bad-data", "a criterion that looks at gradients needs labels", {
      who: data.name,
      hint: "Give labelled data, or take a criterion that looks at activations or weights.",
    });
  }
  const { graph } = model;
  const inputs = graph.requiredInputs.map(({ name }) => name);
  const batch = await data.read(Uint32Array.from({ length: size }, (_, i) => i));
  const example = feedsOf(inputs, batch);
  const forward = await specializeModel(model, example, engine);
  const loss = lossOfLabels(data.labelKind);
  const b = new Builder(graph, "observe/");
  const { value: lossValue, feeds } = emitLoss(b, loss, forward, size, labelTargets(loss.targets, data, batch.labels));
  const trace = await traceExpanded(model, { ...example, ...feeds }, engine);
  const gated = gates.flatMap((gate) => (graph.find(gate.gated.name) === gate.gated ? [gate.gated] : []));
  // The loss is a mean over the examples; each example's own is asked for.
  const gradients = emitGradients(graph, new Map([[lossValue, b.scalar(size)]]), gated, trace);
  return {
    gradients,
    targets(batch) {
      const byName = Object.entries(labelTargets(loss.targets, data, batch.labels));
      return Object.fromEntries(byName.map(([name, tensor]) => [inputNames.target(name), tensor]));
    },
  };
}

/** What is read off one gate: a number for each row of the first axis and each position of the gate's. */
interface Watched {
  gate: Gate;
  outputs: ReadonlyMap<ActivityStatistic, string>;
}

function emitReductions(
  model: Model,
  gates: readonly Gate[],
  statistics: readonly ActivityStatistic[],
  { trace }: Grouping,
  gradients: ReadonlyMap<Value, Value>,
): Watched[] {
  const { graph } = model;
  const b = new Builder(graph, "observe/");
  const outputs = new Set<Value>();
  const watched = gates.flatMap((gate) => {
    const { gated, axis } = gate;
    if (graph.find(gated.name) !== gated) return [];
    const dims = trace.dims(gate.value);
    const others = dims.map((_, i) => i).filter((i) => i !== axis && i !== 0);
    const reduce = (type: "ReduceMean" | "ReduceSum", value: Value) =>
      others.length === 0
        ? b.emit("Identity", [value])
        : b.emit(type, [value, b.ints(others)], { keepdims: attr.int(0) });
    const mean = (value: Value) => reduce("ReduceMean", value);
    const float = (value: Value) => b.emit("Cast", [value], { to: attr.int(1) });
    const a = trace.dtype(gate.value) === "float" ? gated : float(gated);
    const g = gradients.get(gated);
    const t = g && statistics.some((s) => s.startsWith("taylor")) ? reduce("ReduceSum", b.emit("Mul", [a, g])) : null;
    const emit: Record<ActivityStatistic, () => Value | null> = {
      mean: () => mean(a),
      magnitude: () => mean(b.emit("Abs", [a])),
      square: () => mean(b.emit("Mul", [a, a])),
      zeros: () => mean(float(b.emit("Equal", [a, b.scalar(0)]))),
      gradient: () => (g ? mean(b.emit("Abs", [g])) : null),
      taylor: () => t,
      taylorMagnitude: () => t,
      taylorSquare: () => t,
    };
    const names = new Map<ActivityStatistic, string>();
    for (const statistic of statistics) {
      const value = emit[statistic]();
      if (!value) return [];
      setType(value, { dtype: "float", dims: null });
      outputs.add(value);
      names.set(statistic, value.name);
    }
    return [{ gate, outputs: names }];
  });
  setGraphOutputs(graph, []);
  for (const value of outputs) addGraphOutput(graph, value);
  removeDead(model);
  return watched;
}

/** The sets that have groups along the gate's axis. */
function placesOf(
  grouping: Grouping,
  { value, axis }: Gate,
): Pick<Activity, "set" | "value" | "axis" | "positions" | "readers">[] {
  const along = new Map<Group, number[]>();
  for (const [p, group] of grouping.groupsAlong(value, axis).entries()) {
    if (group) along.set(group, [...(along.get(group) ?? []), p]);
  }
  return grouping.sets.flatMap((set) => {
    const positions = set.groups.map((group) => along.get(group) ?? []);
    if (positions.every((each) => each.length === 0)) return [];
    const summing = grouping.contractions.filter(({ node, input }) => node.inputs[input] === value);
    const nodes = new Set(summing.map(({ node }) => node));
    const readers = membersOf(set).filter(
      (member) => member.side === "outgoing" && [...readersOf(member.value)].some(({ node }) => nodes.has(node)),
    );
    return [{ set, value, axis, positions, readers }];
  });
}
