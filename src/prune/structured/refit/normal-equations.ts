import { randomStream } from "../../../base/random.js";
import { fromFloat32, intTensor, Tensor, toFloat32 } from "../../../base/tensor.js";
import { attr } from "../../../graph/attribute.js";
import { Builder } from "../../../graph/builder.js";
import { cloneModel, copyContents } from "../../../graph/clone.js";
import { constantOf } from "../../../graph/constant.js";
import { addGraphOutput, freshName, setGraphOutputs, setType } from "../../../graph/edit.js";
import type { Model, Value } from "../../../graph/ir.js";
import { allGraphs } from "../../../graph/walk.js";
import { modelBytes } from "../../../onnx/write.js";
import { removeDead } from "../../../passes/remove-dead.js";
import type { Engine, Tensors } from "../../../run/session.js";
import type { Calibration } from "../calibration.js";
import type { Consumer } from "./consumers.js";

/**
 * What a least-squares fit of a layer needs to know of its examples, for each of its groups: with X the inputs, a column
 * of ones at the end where it has a bias, and E what the output lacks,
 * gram = X^T X, [groups, unknowns, unknowns], and lack = X^T E, [groups, unknowns, outputs].
 */
export interface NormalEquations {
  gram: Float64Array;
  lack: Float64Array;
  /** Sums of squares, [groups]: of E, and of the original's output at the same positions. */
  lacking: Float64Array;
  wanted: Float64Array;
}

/** The names in the graph of one layer. */
interface Ends {
  consumer: Consumer;
  /** int64 [n]: the rows of the output that are looked at. */
  rows: string;
  /** int64 [n, taps]: the rows of the input that belong to them. */
  sources: string;
  /** Outputs: see `NormalEquations`. */
  gram: string;
  lack: string;
  lacking: string;
  wanted: string;
}

const double = attr.int(11);

/**
 * Runs the original and the cut network over the examples and sums up the normal equations of some layers. The whole is
 * one graph, that ends at these layers. It multiplies in float64: the equations of a layer whose inputs are nearly
 * dependent would lose all their digits in float32.
 * @param rowsPerBatch how many positions of the output are looked at in a batch, drawn anew for each batch.
 */
export async function gatherNormalEquations(
  { original, model, calibration }: { original: Model; model: Model; calibration: Calibration },
  consumers: readonly Consumer[],
  rowsPerBatch: (consumer: Consumer) => number,
  { engine, threads, seed }: { engine: Engine; threads?: number; seed: number },
): Promise<Map<Consumer, NormalEquations>> {
  const { bytes, ends } = passModel(original, model, consumers, rowsPerBatch);
  const sums = new Map(consumers.map((consumer) => [consumer, noEquations(consumer)]));
  const session = await engine.load(bytes, { threads });
  try {
    let position = 0;
    for await (const feeds of calibration.batches()) {
      const all: Tensors = { ...feeds };
      for (const { consumer, rows, sources } of ends) {
        const random = randomStream(seed, "refit", consumer.name, position);
        const chosen = random.permutation(consumer.rows).slice(0, rowsPerBatch(consumer));
        all[rows] = intTensor([...chosen]);
        all[sources] = sourcesOf(consumer, chosen);
      }
      const results = await session.run(all);
      for (const { consumer, gram, lack, lacking, wanted } of ends) {
        const sum = sums.get(consumer);
        if (!sum) continue;
        addTo(sum.gram, results[gram]);
        addTo(sum.lack, results[lack]);
        addTo(sum.lacking, results[lacking]);
        addTo(sum.wanted, results[wanted]);
      }
      position++;
    }
  } finally {
    await session.release();
  }
  return sums;
}

function noEquations({ map: { groups, outputs }, unknowns }: Consumer): NormalEquations {
  return {
    gram: new Float64Array(groups * unknowns * unknowns),
    lack: new Float64Array(groups * unknowns * outputs),
    lacking: new Float64Array(groups),
    wanted: new Float64Array(groups),
  };
}

function addTo(sum: Float64Array, { array }: Tensor): void {
  for (let i = 0; i < sum.length; i++) sum[i] += Number(array[i]);
}

/** The row -1, padding, is the last one for Gather: it holds zeros. */
function sourcesOf({ map }: Consumer, rows: Uint32Array): Tensor {
  const sources = new BigInt64Array(rows.length * map.taps);
  let at = 0;
  for (const row of rows) for (let tap = 0; tap < map.taps; tap++) sources[at++] = BigInt(map.source(row, tap));
  return Tensor.fromArray("int64", [rows.length, map.taps], sources);
}

function passModel(
  original: Model,
  cut: Model,
  consumers: readonly Consumer[],
  rowsPerBatch: (consumer: Consumer) => number,
): { bytes: Uint8Array; ends: Ends[] } {
  const { model } = cloneModel(original);
  const { graph } = model;
  const b = new Builder(graph, "refit/");
  const copies = new Map<Value, Value>();
  for (const input of cut.graph.inputs) {
    const same = graph.values.get(input.name);
    if (same) copies.set(input, same);
  }
  const targets = consumers.map(({ target }) => {
    const { name } = target.kind === "output" ? target.value : target.data;
    return graph.values.get(name);
  });
  const rename = (name: string) => freshName(graph, `cut/${name}`);
  // Nodes may go without a name.
  copyContents(cut.graph, graph, copies, { value: rename, node: (name) => name && rename(name) });
  forgetDims(model);
  setGraphOutputs(graph, []);
  const ends = consumers.map((consumer, i) => {
    const [data, output, target] = [copies.get(consumer.data), copies.get(consumer.output), targets[i]];
    if (!data || !output || !target) throw new Error(`a value around '${consumer.name}' was not copied`);
    return emitEquations(b, consumer, rowsPerBatch(consumer), data, output, target);
  });
  removeDead(model);
  return { bytes: modelBytes(model), ends };
}

/** A size that the file calls by a name is another one in the original than in the cut network. */
function forgetDims(model: Model): void {
  for (const { values } of allGraphs(model.graph)) {
    for (const value of values.values()) if (value.producer) setType(value, null);
  }
}

/** @param target the value in the original that the consumer names */
function emitEquations(b: Builder, consumer: Consumer, n: number, data: Value, output: Value, target: Value): Ends {
  const { map, weight, bias, dataRank } = consumer;
  const { groups, taps, inputs, outputs } = map;
  const name = freshName(b.graph, `refit/${consumer.name}`);
  const rows = b.input(`${name}/rows`, "int64", [n]);
  const sources = b.input(`${name}/sources`, "int64", [n, taps]);
  const { wanted, given } = emitWanted(b, consumer, { data, output, target, rows });
  const byGroup = (value: Value) => transpose(b, reshape(b, value, [n, groups, outputs]), [1, 0, 2]);
  const lacking = byGroup(b.emit("Sub", [wanted, given]));

  const zeros = new Float32Array(groups * inputs);
  const padding = b.constant(fromFloat32(constantOf(weight)?.dtype ?? "float", [1, zeros.length], zeros));
  const padded = [asRows(b, data, dataRank, map.dataAxis, zeros.length), padding];
  const taken = b.emit("Gather", [b.emit("Concat", padded, { axis: attr.int(0) }), sources]);
  const grouped = transpose(b, reshape(b, taken, [n, taps, groups, inputs]), [2, 0, 1, 3]);
  let x = b.emit("Cast", [reshape(b, grouped, [groups, n, taps * inputs])], { to: double });
  if (bias) {
    const ones = Tensor.fromArray("double", [groups, n, 1], new Float64Array(groups * n).fill(1));
    x = b.emit("Concat", [x, b.constant(ones)], { axis: attr.int(2) });
  }
  const across = transpose(b, x, [0, 2, 1]);
  const publish = (value: Value) => {
    setType(value, { dtype: "double", dims: null });
    addGraphOutput(b.graph, value);
    return value.name;
  };
  const squares = (value: Value) =>
    publish(b.emit("ReduceSumSquare", [value, b.ints([1, 2])], { keepdims: attr.int(0) }));
  return {
    ...{ consumer, rows: rows.name, sources: sources.name },
    gram: publish(b.emit("MatMul", [across, x])),
    lack: publish(b.emit("MatMul", [across, lacking])),
    lacking: squares(lacking),
    wanted: squares(byGroup(wanted)),
  };
}

/** What the original gives at the rows that are looked at, and what the cut network does: [n, channels] in float64. */
function emitWanted(
  b: Builder,
  { map, weight, target: from, dataRank }: Consumer,
  { data, output, target, rows }: { data: Value; output: Value; target: Value; rows: Value },
): { wanted: Value; given: Value } {
  const looked = (value: Value, rank: number, axis: number, channels: number) =>
    b.emit("Cast", [b.emit("Gather", [asRows(b, value, rank, axis, channels), rows])], { to: double });
  const channels = map.groups * map.outputs;
  if (from.kind === "output" && map.outputAxis !== null) {
    const { rank, keep } = from;
    const axis = map.outputAxis;
    const kept = keep ? b.emit("Gather", [target, b.ints(keep)], { axis: attr.int(axis) }) : target;
    return { wanted: looked(kept, rank, axis, channels), given: looked(output, rank, axis, channels) };
  }
  const product = (value: Value, inputs: number, elements: Float32Array) => {
    const matrix = b.constant(Tensor.fromArray("double", [inputs, channels], Float64Array.from(elements)));
    return b.emit("MatMul", [looked(value, dataRank, map.dataAxis, inputs), matrix]);
  };
  if (from.kind !== "product") throw new Error("a product inside a node is found by its data");
  const weights = toFloat32(constantOf(weight) ?? fromFloat32("float", [0], new Float32Array(0)));
  const now = new Float32Array(map.inputs * channels);
  for (let i = 0; i < map.inputs; i++) {
    for (let o = 0; o < channels; o++) now[i * channels + o] = weights[map.at(0, 0, i, o)];
  }
  return { wanted: product(target, from.inputs, from.matrix), given: product(data, map.inputs, now) };
}

/** The matrix with a row for each position and a column for each channel. */
function asRows(b: Builder, value: Value, rank: number, axis: number, channels: number): Value {
  const others = Array.from({ length: rank }, (_, i) => i).filter((i) => i !== axis);
  const last = axis === rank - 1 ? value : transpose(b, value, [...others, axis]);
  return reshape(b, last, [-1, channels]);
}

const reshape = (b: Builder, value: Value, dims: readonly number[]) => b.emit("Reshape", [value, b.ints(dims)]);

const transpose = (b: Builder, value: Value, perm: readonly number[]) =>
  b.emit("Transpose", [value], { perm: attr.ints(perm) });
