import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataType, TensorProtoSchema } from "onnx-buf";
import { InferenceSession, Tensor } from "onnxruntime-node";

// ONNX's conformance set: a folder per model with model.onnx and test_data_set_0/input_0.pb, input_1.pb, ...

export async function* compareSet(folder, rewritings) {
  for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = join(folder, entry.name);
    if (!entry.isDirectory()) continue;
    if (!existsSync(join(inner, "model.onnx"))) yield* compareSet(inner, rewritings);
    else yield { group: basename(folder), name: entry.name, ...(await compareModel(inner, rewritings)) };
  }
}

async function compareModel(folder, rewritings) {
  const bytes = readFileSync(join(folder, "model.onnx"));
  let feeds;
  let before;
  let ran = null;
  try {
    feeds = readFeeds(folder, bytes);
    before = await run(bytes, feeds);
    if (before !== (await run(bytes, feeds))) ran = "its outputs differ from run to run";
  } catch (error) {
    ran = messageOf(error);
  }
  const different = [];
  for (const [how, rewrite] of Object.entries(rewritings)) {
    try {
      const rewritten = rewrite(bytes);
      if (ran === null && (await run(rewritten, feeds)) !== before) different.push(`${how}: other outputs`);
    } catch (error) {
      different.push(`${how}: ${messageOf(error)}`);
    }
  }
  return { ran, different };
}

function messageOf(error) {
  return String(error instanceof Error ? error.message : error)
    .replace(/\s+/g, " ")
    .trim();
}

/** All outputs as one text, exact to the bit. */
async function run(bytes, feeds) {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 4, intraOpNumThreads: 1 });
  try {
    const outputs = await session.run(feeds);
    return Object.entries(outputs)
      .map(([name, { type, dims, data }]) => {
        const content = ArrayBuffer.isView(data)
          ? Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")
          : JSON.stringify(data);
        return `${name} ${type} [${dims}] ${content}`;
      })
      .join("\n");
  } finally {
    await session.release();
  }
}

/** The set's inputs, which belong to the graph's inputs in order. */
function readFeeds(folder, bytes) {
  const { graph } = fromBinary(ModelProtoSchema, bytes);
  const feeds = {};
  for (const [index, input] of (graph?.input ?? []).entries()) {
    const path = join(folder, "test_data_set_0", `input_${index}.pb`);
    if (!existsSync(path)) continue;
    if (input.type?.value.case !== "tensorType") throw new Error("an input is a sequence or an optional");
    feeds[input.name] = readTensor(readFileSync(path));
  }
  return feeds;
}

const arrays = {
  [TensorProto_DataType.FLOAT]: ["float32", Float32Array],
  [TensorProto_DataType.DOUBLE]: ["float64", Float64Array],
  [TensorProto_DataType.FLOAT16]: ["float16", Uint16Array],
  [TensorProto_DataType.INT8]: ["int8", Int8Array],
  [TensorProto_DataType.UINT8]: ["uint8", Uint8Array],
  [TensorProto_DataType.INT16]: ["int16", Int16Array],
  [TensorProto_DataType.UINT16]: ["uint16", Uint16Array],
  [TensorProto_DataType.INT32]: ["int32", Int32Array],
  [TensorProto_DataType.UINT32]: ["uint32", Uint32Array],
  [TensorProto_DataType.INT64]: ["int64", BigInt64Array],
  [TensorProto_DataType.UINT64]: ["uint64", BigUint64Array],
  [TensorProto_DataType.BOOL]: ["bool", Uint8Array],
};

function readTensor(bytes) {
  const proto = fromBinary(TensorProtoSchema, bytes);
  const dims = proto.dims.map(Number);
  if (proto.dataType === TensorProto_DataType.STRING) {
    return new Tensor(
      "string",
      proto.stringData.map((text) => new TextDecoder().decode(text)),
      dims,
    );
  }
  const [type, Elements] = arrays[proto.dataType] ?? [];
  if (!type || !Elements) throw new Error(`JavaScript cannot feed inputs of ${TensorProto_DataType[proto.dataType]}`);
  if (Object.hasOwn(proto, "rawData"))
    return new Tensor(type, new Elements(new Uint8Array(proto.rawData).buffer), dims);
  const typed = [proto.floatData, proto.doubleData, proto.int32Data, proto.int64Data, proto.uint64Data];
  const stored = typed.find((values) => values.length > 0) ?? [];
  const wide = proto.dataType === TensorProto_DataType.INT64 || proto.dataType === TensorProto_DataType.UINT64;
  return new Tensor(type, Elements.from(stored, wide ? undefined : Number), dims);
}
