import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type SparseTensorProto,
  SparseTensorProtoSchema,
  TensorProtoSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { dtypes } from "../base/dtype.js";
import type { Tensor } from "../base/tensor.js";
import type { Attribute, Graph, Model, Node, Value, ValueType } from "../graph/ir.js";
import { topologicalOrder } from "../graph/walk.js";
import { tensorHeader, tensorProto } from "./tensor-proto.js";
import { joinPieces, lengthDelimited } from "./wire.js";

// Field numbers of onnx.proto.
const modelGraph = 7;
const graphInitializer = 5;
const graphSparseInitializer = 15;
const tensorRawData = 9;

/** Encodes an initializer as a field of its graph. */
export type TensorEncoder = (tensor: Tensor, name: string) => Uint8Array[];

/**
 * The bytes of the ONNX file, in pieces: big tensors are handed on as they are, never copied, so that a model is
 * written with little more memory than it already takes.
 */
export function encodeModel(
  model: Model,
  encodeTensor: TensorEncoder = encodeAsRead,
  extraOutputs: readonly Value[] = [],
): Uint8Array[] {
  const origin = model.origin as ModelProto | undefined;
  const opsetImport = [...model.opsets].map(([domain, version]) =>
    create(OperatorSetIdProtoSchema, {
      domain: domain === "" && origin?.opsetImport.some((entry) => entry.domain === "ai.onnx") ? "ai.onnx" : domain,
      version: BigInt(version),
    }),
  );
  const proto = Object.assign(create(ModelProtoSchema), origin ?? { producerName: "espalier" }, {
    irVersion: BigInt(model.irVersion),
    graph: undefined,
    opsetImport,
  });
  return [
    toBinary(ModelProtoSchema, proto),
    ...lengthDelimited(modelGraph, encodeGraph(model.graph, encodeTensor, extraOutputs)),
  ];
}

/** The whole ONNX file in one array. `extraOutputs` become graph outputs beside the model's own. */
export function modelBytes(model: Model, extraOutputs: readonly Value[] = []): Uint8Array {
  return joinPieces(encodeModel(model, encodeAsRead, extraOutputs));
}

/** As the file had it: dense, or a `sparse_initializer` that nobody has changed. */
export const encodeAsRead: TensorEncoder = (tensor, name) => {
  const origin = tensor.origin as { $typeName?: string } | undefined;
  return origin?.$typeName === "onnx.SparseTensorProto"
    ? encodeSparse(origin as SparseTensorProto, name)
    : encodeDense(tensor, name);
};

export function encodeSparse(proto: SparseTensorProto, name: string): Uint8Array[] {
  const named = Object.assign({}, proto, { values: Object.assign({}, proto.values, { name }) });
  return lengthDelimited(graphSparseInitializer, [toBinary(SparseTensorProtoSchema, named)]);
}

export function encodeDense(tensor: Tensor, name: string): Uint8Array[] {
  const { proto, raw } = tensorHeader(tensor, name);
  const header = toBinary(TensorProtoSchema, proto);
  return lengthDelimited(graphInitializer, raw ? [header, ...lengthDelimited(tensorRawData, [raw])] : [header]);
}

function encodeGraph(graph: Graph, encodeTensor: TensorEncoder, extraOutputs: readonly Value[]): Uint8Array[] {
  const { initializers, proto } = graphProto(graph, encodeTensor);
  for (const value of extraOutputs) if (!value.isGraphOutput) proto.output.push(valueInfo(value));
  return [toBinary(GraphProtoSchema, proto), ...initializers];
}

/** A graph's message without its initializers, and these encoded beside it. */
function graphProto(graph: Graph, encodeTensor: TensorEncoder): { proto: GraphProto; initializers: Uint8Array[] } {
  const inner = [...graph.values.values()].filter(
    (value) => !value.isGraphInput && !value.isGraphOutput && !value.initializer && (value.type || value.origin),
  );
  const proto = Object.assign(create(GraphProtoSchema), graph.origin ?? {}, {
    name: graph.name,
    node: topologicalOrder(graph).map((node) => nodeProto(node, encodeTensor)),
    initializer: [],
    sparseInitializer: [],
    input: graph.inputs.map(valueInfo),
    output: graph.outputs.map(valueInfo),
    valueInfo: inner.map(valueInfo),
  });
  const initializers: Uint8Array[] = [];
  for (const value of graph.initializers()) initializers.push(...encodeTensor(value.initializer, value.name));
  return { proto, initializers };
}

function nodeProto(node: Node, encodeTensor: TensorEncoder): NodeProto {
  const origin = node.origin as NodeProto | undefined;
  return Object.assign(create(NodeProtoSchema), origin ?? {}, {
    name: node.name,
    opType: node.type,
    domain: node.domain === "" && origin?.domain === "ai.onnx" ? "ai.onnx" : node.domain,
    input: node.inputs.map((input) => input?.name ?? ""),
    output: node.outputs.map((output) => output?.name ?? ""),
    attribute: [...node.attributes].map(([name, attribute]) => attributeProto(name, attribute, encodeTensor)),
  });
}

function attributeProto(name: string, attribute: Attribute, encodeTensor: TensorEncoder): AttributeProto {
  if (attribute.origin) return attribute.origin as AttributeProto;
  const proto = create(AttributeProtoSchema, { name });
  const utf8 = (text: string) => new TextEncoder().encode(text);
  switch (attribute.kind) {
    case "int":
      return Object.assign(proto, { type: Kind.INT, i: BigInt(attribute.value) });
    case "ints":
      return Object.assign(proto, { type: Kind.INTS, ints: attribute.value.map(BigInt) });
    case "float":
      return Object.assign(proto, { type: Kind.FLOAT, f: attribute.value });
    case "floats":
      return Object.assign(proto, { type: Kind.FLOATS, floats: [...attribute.value] });
    case "string":
      return Object.assign(proto, { type: Kind.STRING, s: utf8(attribute.value) });
    case "strings":
      return Object.assign(proto, { type: Kind.STRINGS, strings: attribute.value.map(utf8) });
    case "tensor":
      return Object.assign(proto, { type: Kind.TENSOR, t: tensorProto(attribute.value, "") });
    case "tensors":
      return Object.assign(proto, { type: Kind.TENSORS, tensors: attribute.value.map((t) => tensorProto(t, "")) });
    case "graph":
      return Object.assign(proto, { type: Kind.GRAPH, g: bodyProto(attribute.value, encodeTensor) });
    case "graphs":
      return Object.assign(proto, {
        type: Kind.GRAPHS,
        graphs: attribute.value.map((g) => bodyProto(g, encodeTensor)),
      });
    case "opaque":
      return proto;
  }
}

/** A nested graph as one message: its initializers are decoded back in, bodies being small. */
function bodyProto(graph: Graph, encodeTensor: TensorEncoder): GraphProto {
  const { proto, initializers } = graphProto(graph, encodeTensor);
  const { initializer, sparseInitializer } = fromBinary(GraphProtoSchema, joinPieces(initializers));
  return Object.assign(proto, { initializer, sparseInitializer });
}

function valueInfo(value: Value): ValueInfoProto {
  const origin = value.origin as ValueInfoProto | undefined;
  if (origin) return Object.assign({}, origin, { name: value.name });
  return create(ValueInfoProtoSchema, { name: value.name, ...(value.type && { type: typeProto(value.type) }) });
}

function typeProto({ dtype, dims }: ValueType) {
  const dim = (size: number | string | null) => {
    if (size === null) return {};
    if (typeof size === "number") return { value: { case: "dimValue" as const, value: BigInt(size) } };
    return { value: { case: "dimParam" as const, value: size } };
  };
  return create(TypeProtoSchema, {
    value: {
      case: "tensorType",
      value: { elemType: dtypes[dtype].code, ...(dims && { shape: { dim: dims.map(dim) } }) },
    },
  });
}
