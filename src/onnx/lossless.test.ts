import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorProto_DataType as Type,
  type ValueInfoProto,
} from "onnx-buf";
import { expect, test } from "vitest";
import { findFaults } from "../../test/support/find-faults.js";
import { floatTensor, toNumbers } from "../base/tensor.js";
import { attr } from "../graph/attribute.js";
import { constantOf } from "../graph/constant.js";
import { addGraphOutput, removeNode, setConstant, setOperator, setOpset, setType } from "../graph/edit.js";
import { allNodes } from "../graph/walk.js";
import { everything, info, type ModelInit, props, raw, tensorType, utf8 } from "./everything.cases.js";
import { parseModel } from "./read.js";
import { modelBytes } from "./write.js";

/** Adds two fields of the future to every message that is reachable. */
function addUnknownFields(message: unknown): void {
  if (Array.isArray(message)) for (const item of message) addUnknownFields(item);
  if (typeof message !== "object" || message === null || ArrayBuffer.isView(message)) return;
  for (const part of Object.values(message)) addUnknownFields(part);
  if ("$typeName" in message) {
    Object.assign(message, {
      $unknown: [
        { no: 900, wireType: 0, data: Uint8Array.of(0x96, 0x01) },
        { no: 901, wireType: 2, data: Uint8Array.of(2, 7, 8) },
      ],
    });
  }
}

/** Puts the lists that are sets by meaning into one order: value_info, and the order of initializers by kind. */
function canonical(proto: ModelProto): ModelProto {
  const graphs = (graph: GraphProto | undefined): void => {
    if (!graph) return;
    graph.valueInfo.sort((a: ValueInfoProto, b: ValueInfoProto) => (a.name < b.name ? -1 : 1));
    for (const node of graph.node) attributes(node.attribute);
  };
  const attributes = (list: AttributeProto[]): void => {
    for (const attribute of list) for (const graph of [attribute.g, ...attribute.graphs]) graphs(graph);
  };
  graphs(proto.graph);
  return proto;
}

function roundTrip(proto: ModelProto, change: (model: ReturnType<typeof parseModel>) => void = () => {}): ModelProto {
  const model = parseModel(toBinary(ModelProtoSchema, proto));
  expect(findFaults(model.graph)).toEqual([]);
  change(model);
  return fromBinary(ModelProtoSchema, modelBytes(model));
}

/** The nodes in the order in which the reader puts them: `condition` has to come before the If. */
function sorted(proto: ModelProto): ModelProto {
  const nodes = proto.graph?.node ?? [];
  nodes.splice(2, 0, ...nodes.splice(4, 1));
  return proto;
}

function expectSame(got: ModelProto, wanted: ModelProto): void {
  // The readable comparison first; the bytes show unknown fields, and whether a field is there and empty or absent.
  expect(canonical(got)).toEqual(canonical(wanted));
  expect(Buffer.compare(toBinary(ModelProtoSchema, got), toBinary(ModelProtoSchema, wanted))).toBe(0);
}

test("reading and writing loses nothing", () => {
  expectSame(roundTrip(everything()), sorted(everything()));
});

test("fields of future versions survive in every message", () => {
  const before = everything();
  addUnknownFields(before);
  const after = everything();
  addUnknownFields(after);
  expectSame(roundTrip(before), sorted(after));
});

test("an absent field stays absent, an empty one stays", () => {
  const bare: ModelInit = {
    graph: {
      node: [
        { opType: "A", output: ["a"] },
        { name: "", domain: "", opType: "B" },
      ],
    },
  };
  expectSame(roundTrip(create(ModelProtoSchema, bare)), create(ModelProtoSchema, bare));
});

test("a model without changes reads and writes to the same bytes for ever", () => {
  const once = modelBytes(parseModel(toBinary(ModelProtoSchema, sorted(everything()))));
  expect(Buffer.compare(modelBytes(parseModel(once)), once)).toBe(0);
});

const node = (proto: ModelProto, name: string): NodeProto => {
  const found = proto.graph?.node.find((n) => n.output[0] === name);
  if (!found) throw new Error(`no node computes ${name}`);
  return found;
};
const valueInfoOf = (list: ValueInfoProto[] | undefined, name: string) => list?.find((entry) => entry.name === name);
const dimsOf = (entry: ValueInfoProto | undefined) =>
  entry?.type?.value.case === "tensorType"
    ? entry.type.value.value.shape?.dim.map((dim) => dim.value.value)
    : undefined;
const initializer = (proto: ModelProto, name: string): TensorProto | undefined =>
  proto.graph?.initializer.find((tensor) => tensor.name === name);

test("a changed constant takes its declared dims along, and keeps what is said of it", () => {
  const proto = roundTrip(everything(), (model) => {
    for (const name of ["w", "early"]) {
      const value = model.graph.values.get(name);
      if (value) setConstant(value, floatTensor([3], [7, 8, 9]));
    }
  });
  expect(initializer(proto, "w")?.dims).toEqual([3n]);
  expect(dimsOf(valueInfoOf(proto.graph?.valueInfo, "w"))).toEqual([3n]);
  expect(dimsOf(valueInfoOf(proto.graph?.output, "w"))).toEqual([3n]);
  expect(dimsOf(valueInfoOf(proto.graph?.input, "early"))).toEqual([3n]);
  expect(dimsOf(valueInfoOf(proto.graph?.input, "late"))).toEqual([2n]);
});

test("a changed type replaces the file's in every list, denotations and documentation stay", () => {
  const init = everything();
  const inputType = init.graph?.input[0].type;
  if (inputType?.value.case !== "tensorType" || !inputType.value.value.shape) throw new Error("no shape");
  inputType.value.value.shape.dim[0].denotation = "DATA_BATCH";
  const proto = roundTrip(init, (model) => {
    const x = model.graph.values.get("x");
    if (x) setType(x, { dtype: "float16", dims: [5] });
  });
  const entry = valueInfoOf(proto.graph?.input, "x");
  expect(entry?.type?.value).toMatchObject({ case: "tensorType", value: { elemType: Type.FLOAT16 } });
  expect(entry).toMatchObject({ docString: "an input", metadataProps: props("of x"), type: { denotation: "IMAGE" } });
  expect(entry?.type?.value).toMatchObject({ value: { shape: { dim: [{ denotation: "DATA_BATCH" }] } } });
  for (const list of [proto.graph?.input, proto.graph?.output, proto.graph?.valueInfo]) {
    expect(dimsOf(valueInfoOf(list, "x"))).toEqual([5n]);
  }
});

test("a type that is taken away is not written, one that was never understood stays when the value becomes an output", () => {
  const proto = roundTrip(everything(), (model) => {
    const sum = model.graph.values.get("sum");
    const sequence = model.graph.values.get("sequence");
    if (sum) setType(sum, null);
    if (sequence) addGraphOutput(model.graph, sequence);
  });
  expect(valueInfoOf(proto.graph?.valueInfo, "sum")).toMatchObject({ docString: "a sum" });
  expect(valueInfoOf(proto.graph?.valueInfo, "sum")?.type).toBeUndefined();
  expect(valueInfoOf(proto.graph?.output, "sequence")?.type?.value.case).toBe("sequenceType");
});

test("extra outputs are written, and the model keeps its own", () => {
  const model = parseModel(toBinary(ModelProtoSchema, everything()));
  const sum = model.graph.values.get("sum");
  const chosen = model.graph.values.get("chosen");
  if (!sum || !chosen) throw new Error("no such value");
  const proto = fromBinary(ModelProtoSchema, modelBytes(model, [sum, chosen]));
  expect(proto.graph?.output.map((output) => output.name)).toEqual(["chosen", "x", "w", "chosen", "sum"]);
  expect(fromBinary(ModelProtoSchema, modelBytes(model)).graph?.output).toHaveLength(4);
});

test("opsets: order and spelling stay, versions change, new domains come last", () => {
  const proto = roundTrip(everything(), (model) => {
    setOpset(model, "", 18);
    setOpset(model, "com.microsoft", 1);
  });
  expect(proto.opsetImport.map(({ domain, version }) => [domain, version])).toEqual([
    ["ai.onnx.ml", 3n],
    ["ai.onnx", 18n],
    ["local", 1n],
    ["com.microsoft", 1n],
  ]);
});

test("a node that calls another operator forgets the overload of the old one", () => {
  const proto = roundTrip(everything(), (model) => {
    for (const n of model.graph.nodes) if (n.type === "Twice") setOperator(n, "Once", "local");
  });
  expect(node(proto, "t")).toMatchObject({ opType: "Once", domain: "local", overload: "" });
});

test("an attribute written under another name carries that name", () => {
  const proto = roundTrip(everything(), (model) => {
    const twice = [...model.graph.nodes].find((n) => n.type === "Twice");
    const attributes = twice?.attributes as Map<string, ReturnType<typeof attr.int>>;
    for (const name of ["alpha", "tensor"]) {
      const attribute = attributes.get(name);
      if (attribute) attributes.set(`new ${name}`, attribute);
    }
  });
  const written = new Map(node(proto, "t").attribute.map((attribute) => [attribute.name, attribute]));
  expect(written.get("new alpha")).toMatchObject({ f: 1.5, docString: "an attribute" });
  expect(written.get("new tensor")?.t).toMatchObject({ name: "w", docString: "a weight" });
  expect(written.get("tensor")?.t).toMatchObject({ name: "w" });
});

test("new attributes of every kind reach the file", () => {
  const proto = roundTrip(everything(), (model) => {
    const twice = [...model.graph.nodes].find((n) => n.type === "Twice");
    const attributes = twice?.attributes as Map<string, ReturnType<typeof attr.int>>;
    attributes.clear();
    const made = {
      int: attr.int(Number.POSITIVE_INFINITY),
      ints: attr.ints([1, -2]),
      float: attr.float(1e300),
      floats: attr.floats([0.1]),
      string: attr.string("ß"),
      strings: { kind: "strings" as const, value: ["a", "ß"] },
      tensor: attr.tensor(floatTensor([1], [3])),
      tensors: { kind: "tensors" as const, value: [floatTensor([1], [3]), floatTensor([], [4])] },
    };
    for (const [name, attribute] of Object.entries(made)) (attributes as Map<string, unknown>).set(name, attribute);
  });
  const [int, ints, float, floats, string, strings, tensor, tensors] = node(proto, "t").attribute;
  expect(int).toMatchObject({ name: "int", type: Kind.INT, i: 2n ** 63n - 1n });
  expect(ints).toMatchObject({ type: Kind.INTS, ints: [1n, -2n] });
  expect(float).toMatchObject({ type: Kind.FLOAT, f: Number.POSITIVE_INFINITY });
  expect(floats).toMatchObject({ type: Kind.FLOATS, floats: [Math.fround(0.1)] });
  expect(string).toMatchObject({ type: Kind.STRING, s: utf8("ß") });
  expect(strings).toMatchObject({ type: Kind.STRINGS, strings: [utf8("a"), utf8("ß")] });
  expect(tensor).toMatchObject({ type: Kind.TENSOR, t: { dims: [1n], dataType: Type.FLOAT } });
  expect(tensor.t?.rawData).toEqual(raw([3]));
  expect(tensors.tensors.map((t) => t.dims)).toEqual([[1n], []]);
});

test("a sparse value of a Constant node is a constant like any other", () => {
  const proto = create(ModelProtoSchema, {
    graph: {
      node: [
        {
          opType: "Constant",
          output: ["k"],
          attribute: [
            {
              name: "sparse_value",
              type: Kind.SPARSE_TENSOR,
              sparseTensor: {
                dims: [4n],
                values: { dims: [1n], dataType: Type.FLOAT, floatData: [5] },
                indices: { dims: [1n], dataType: Type.INT64, int64Data: [2n] },
              },
            },
          ],
        },
      ],
    },
  });
  const model = parseModel(toBinary(ModelProtoSchema, proto));
  const k = model.graph.values.get("k");
  const tensor = constantOf(k ?? null);
  expect(tensor && toNumbers(tensor)).toEqual([0, 0, 5, 0]);
  if (k) setConstant(k, floatTensor([1], [9]));
  const [attribute, ...more] = fromBinary(ModelProtoSchema, modelBytes(model)).graph?.node[0].attribute ?? [];
  expect(more).toEqual([]);
  expect(attribute).toMatchObject({ name: "value", type: Kind.TENSOR, t: { rawData: raw([9]) } });
});

test("a body that hands an outer value on keeps what the file says of it", () => {
  const init: ModelInit = {
    graph: {
      input: [info("x"), { name: "c", type: tensorType(Type.BOOL) }],
      node: [
        {
          opType: "If",
          input: ["c"],
          output: ["y"],
          attribute: [
            { name: "then_branch", type: Kind.GRAPH, g: { name: "b", output: [{ name: "x", docString: "in b" }] } },
          ],
        },
      ],
      output: [info("y")],
    },
  };
  expectSame(roundTrip(create(ModelProtoSchema, init)), create(ModelProtoSchema, init));
});

test("a body's node that would read the wrong value of that name is refused", () => {
  const model = parseModel(toBinary(ModelProtoSchema, everything()));
  const inner = [...allNodes(model.graph)].find((n) => n.graph !== model.graph);
  const w = model.graph.values.get("w");
  const own = inner?.inputs[1];
  if (!inner || !w || !own) throw new Error("no such node");
  (inner.inputs as unknown[])[1] = w;
  (inner.graph.values as Map<string, unknown>).set("w", own);
  expect(() => modelBytes(model)).toThrow("has the same name and hides that one");
});

test("nodes that were removed are gone with all that the file said of them", () => {
  const proto = roundTrip(everything(), (model) => {
    for (const n of [...model.graph.nodes].reverse()) if (n.type === "SequenceConstruct") removeNode(n);
  });
  expect(proto.graph?.node.map((n) => n.opType)).toEqual(["Add", "Twice", "Cast", "If"]);
  expect(valueInfoOf(proto.graph?.valueInfo, "sequence")).toBeUndefined();
});
