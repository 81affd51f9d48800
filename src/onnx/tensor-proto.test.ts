import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataLocation, type TensorProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { type DType, dtypes } from "../base/dtype.js";
import { byteLengthOf, Tensor } from "../base/tensor.js";
import { addInitializer } from "../graph/edit.js";
import { Model } from "../graph/ir.js";
import { parseModel } from "./read.js";
import { modelBytes } from "./write.js";

type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

function read(tensor: TensorInit): Tensor {
  const proto = create(ModelProtoSchema, { graph: { initializer: [{ name: "t", ...tensor }] } });
  return only(parseModel(toBinary(ModelProtoSchema, proto)));
}

function only(model: Model): Tensor {
  const tensor = model.graph.values.get("t")?.initializer;
  if (!tensor) throw new Error("no tensor");
  return tensor;
}

/** The tensor as written to a file. */
function written(tensor: Tensor) {
  const model = new Model(8, 17);
  addInitializer(model.graph, "t", tensor);
  const proto = fromBinary(ModelProtoSchema, modelBytes(model)).graph?.initializer[0];
  if (!proto) throw new Error("no tensor");
  return proto;
}

const bytesOf = (array: { buffer: ArrayBufferLike }) => new Uint8Array(array.buffer as ArrayBuffer);

test("raw bytes of every type come through, at any alignment", () => {
  for (const dtype of Object.keys(dtypes) as DType[]) {
    if (dtype === "string") continue;
    const raw = Uint8Array.from({ length: byteLengthOf(dtype, [3]) }, (_, i) => 17 * i + 1);
    for (const pad of ["", "x", "xx", "xxx"]) {
      const tensor = read({ docString: pad, dims: [3n], dataType: dtypes[dtype].code, rawData: raw });
      expect(tensor, dtype).toMatchObject({ dtype, dims: [3] });
      expect(Buffer.compare(tensor.bytes, raw), dtype).toBe(0);
      expect(tensor.array.constructor, dtype).toBe(dtypes[dtype].array);
      expect(Buffer.compare(bytesOf(tensor.array.slice()), raw), dtype).toBe(0);
      expect(written(tensor), dtype).toMatchObject({ dims: [3n], dataType: dtypes[dtype].code, docString: pad });
      expect(Buffer.compare(written(tensor).rawData, raw), dtype).toBe(0);
    }
  }
});

// Which field holds which type: the comments in onnx.proto.
const typed: [DType, TensorInit, number[], Tensor["array"]][] = [
  ["float", { floatData: [1.5, -2] }, [2], Float32Array.of(1.5, -2)],
  ["complex64", { floatData: [1, 2, 3, 4] }, [2], Float32Array.of(1, 2, 3, 4)],
  ["double", { doubleData: [0.1] }, [1], Float64Array.of(0.1)],
  ["complex128", { doubleData: [0.1, 0.2] }, [1], Float64Array.of(0.1, 0.2)],
  ["int64", { int64Data: [-1n, 2n ** 62n] }, [2], BigInt64Array.of(-1n, 2n ** 62n)],
  ["uint64", { uint64Data: [2n ** 63n] }, [1], BigUint64Array.of(2n ** 63n)],
  ["uint32", { uint64Data: [0xffffffffn] }, [1], Uint32Array.of(0xffffffff)],
  ["int32", { int32Data: [-5] }, [1], Int32Array.of(-5)],
  ["int16", { int32Data: [-300] }, [1], Int16Array.of(-300)],
  ["int8", { int32Data: [-3] }, [1], Int8Array.of(-3)],
  ["uint16", { int32Data: [65535] }, [1], Uint16Array.of(65535)],
  ["uint8", { int32Data: [255] }, [1], Uint8Array.of(255)],
  ["bool", { int32Data: [1, 0] }, [2], Uint8Array.of(1, 0)],
  ["float16", { int32Data: [0x3c00] }, [1], Uint16Array.of(0x3c00)],
  ["bfloat16", { int32Data: [0xbf80] }, [1], Uint16Array.of(0xbf80)],
  ["float8e4m3fn", { int32Data: [0x7e] }, [1], Uint8Array.of(0x7e)],
  ["float8e4m3fnuz", { int32Data: [0x80] }, [1], Uint8Array.of(0x80)],
  ["float8e5m2", { int32Data: [1] }, [1], Uint8Array.of(1)],
  ["float8e5m2fnuz", { int32Data: [2] }, [1], Uint8Array.of(2)],
  ["float8e8m0", { int32Data: [127] }, [1], Uint8Array.of(127)],
  ["int4", { int32Data: [0xf1, 0x02] }, [3], Uint8Array.of(0xf1, 2)],
  ["uint4", { int32Data: [0xf1] }, [2], Uint8Array.of(0xf1)],
  ["float4e2m1", { int32Data: [0x21, 3] }, [3], Uint8Array.of(0x21, 3)],
  ["int2", { int32Data: [0xe4, 1] }, [5], Uint8Array.of(0xe4, 1)],
  ["uint2", { int32Data: [0xe4] }, [4], Uint8Array.of(0xe4)],
];

test("typed fields of every type are read and written as they are", () => {
  expect(new Set(typed.map(([dtype]) => dtype)).size).toBe(Object.keys(dtypes).length - 1);
  for (const [dtype, init, dims, array] of typed) {
    const tensor = read({ ...init, dims: dims.map(BigInt), dataType: dtypes[dtype].code });
    expect(tensor.array, dtype).toEqual(array);
    expect(Buffer.compare(tensor.bytes, bytesOf(array)), dtype).toBe(0);
    const proto = written(tensor);
    expect(proto, dtype).toMatchObject(init);
    expect(Object.hasOwn(proto, "rawData"), dtype).toBe(false);
  }
});

test("a tensor made in memory is written as raw bytes", () => {
  for (const [dtype, , dims, array] of typed) {
    const proto = written(Tensor.fromArray(dtype, dims, array));
    expect(proto, dtype).toMatchObject({ name: "t", dims: dims.map(BigInt), dataType: dtypes[dtype].code });
    expect(Buffer.compare(proto.rawData, bytesOf(array)), dtype).toBe(0);
  }
});

test("strings survive, and cannot be made up", () => {
  const stringData = [new TextEncoder().encode("ß"), Uint8Array.of(0xff)];
  const tensor = read({ dims: [2n], dataType: 8, stringData });
  expect(tensor).toMatchObject({ dtype: "string", dims: [2] });
  expect(written(tensor).stringData).toEqual(stringData);
  expect(() => written(new Tensor("string", [1], () => new Uint8Array(0)))).toThrow("comes from no file");
});

test("a tensor with a dim of 0 has no elements, wherever they are not", () => {
  for (const init of [{ rawData: new Uint8Array(0) }, {}]) {
    const tensor = read({ dims: [0n, 5n], dataType: 1, ...init });
    expect(tensor.array).toEqual(new Float32Array(0));
    expect(written(tensor).dims).toEqual([0n, 5n]);
  }
});

test("what does not fit is refused with a sentence", () => {
  const refusals: [TensorInit, string][] = [
    [
      { dims: [2n], dataType: 1, rawData: new Uint8Array(7) },
      "model: initializer 't': the tensor's dims [2] need 8 bytes of float, the file holds 7. The file is damaged or was cut short.",
    ],
    [
      { dims: [2n], dataType: 1, floatData: [1] },
      "model: initializer 't': the tensor's dims [2] need 2 values, the file holds 1.",
    ],
    [{ dims: [3n], dataType: 22, int32Data: [1] }, "need 2 values, the file holds 1"],
    [{ dims: [2n], dataType: 8, stringData: [] }, "need 2 values, the file holds 0"],
    [{ dims: [2n ** 39n], dataType: 1 }, "need 549755813888 values, the file holds 0"],
    [{ dims: [-1n], dataType: 1 }, "model: initializer 't': a tensor cannot have the dims [-1]."],
    [{ dims: [0n, -1n], dataType: 1 }, "a tensor cannot have the dims [0,-1]"],
    [{ dims: [0n, 2n ** 62n], dataType: 1 }, "a tensor cannot have the dims"],
    [{ dims: [2n ** 30n, 2n ** 30n], dataType: 1 }, "a tensor cannot have the dims"],
    [{ dims: [1n], dataType: 0 }, "the element type 0 is not one of ONNX's"],
    [{ dims: [1n], dataType: 99, rawData: new Uint8Array(4) }, "the element type 99 is not one of ONNX's"],
    [
      { dims: [2n], dataType: 1, segment: { begin: 0n, end: 1n }, floatData: [1] },
      "a tensor stored in segments cannot be read",
    ],
    [
      { dims: [1n], dataType: 1, dataLocation: TensorProto_DataLocation.EXTERNAL },
      "its elements are in another file. Read the model by its path.",
    ],
  ];
  for (const [init, message] of refusals) expect(() => read(init), message).toThrow(message);
});
