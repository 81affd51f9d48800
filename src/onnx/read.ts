import { fromBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProto,
  type TypeProto,
} from "onnx-buf";
import { EspalierError, messageOf } from "../base/errors.js";
import {
  addGraphInput,
  addGraphOutput,
  addNode,
  addValue,
  createSubgraph,
  setAttribute,
  setConstant,
  setOpset,
  setOrigin,
  setType,
} from "../graph/edit.js";
import { type Attribute, type Graph, Model, type Node, type ValueType } from "../graph/ir.js";
import { sortNodes } from "../graph/walk.js";
import { readSparseTensor } from "./sparse.js";
import { type ExternalReader, readDType, readTensor } from "./tensor-proto.js";

export interface ParseOptions {
  /** How messages name the file. */
  who?: string;
  /** Where external data comes from. Default: it is refused. */
  external?: ExternalReader;
}

const noExternal: ExternalReader = (_location, _offset, _length, who) => {
  throw new EspalierError("bad-model", "its weights are in another file", { who, hint: "Read the model by its path." });
};

/**
 * Reads the bytes of an ONNX file. Tensors are views of `bytes`, which must stay unchanged.
 * Throws `bad-model` for anything that is not a well-formed model.
 */
export function parseModel(bytes: Uint8Array, { who = "model", external = noExternal }: ParseOptions = {}): Model {
  const broken = (cause: unknown) =>
    new EspalierError("bad-model", `not a readable ONNX file (${messageOf(cause)})`, {
      who,
      hint: "It may be empty, cut short, or of another format.",
      cause,
    });
  if (bytes.byteLength === 0) throw broken("it is empty");
  try {
    const proto = fromBinary(ModelProtoSchema, bytes);
    if (!proto.graph) throw broken("it holds no graph");
    const model = new Model(Number(proto.irVersion), 1, proto.graph.name);
    for (const { domain, version } of proto.opsetImport) {
      setOpset(model, domain === "ai.onnx" ? "" : domain, Number(version));
    }
    setOrigin(model, proto);
    readGraph(proto.graph, model.graph, who, external);
    return model;
  } catch (error) {
    if (error instanceof EspalierError) throw error;
    if (error instanceof RangeError) throw broken("it nests too deep or claims lengths beyond its end");
    throw broken(error);
  }
}

function readGraph(proto: GraphProto, graph: Graph, who: string, external: ExternalReader): void {
  setOrigin(graph, proto);
  for (const input of proto.input) {
    const value = addValue(graph, input.name, readType(input.type, input.name));
    setOrigin(value, input);
    addGraphInput(graph, value);
  }
  const constant = (name: string, read: (who: string) => ReturnType<typeof readTensor>) => {
    const tensor = read(`${who}: initializer '${name}'`);
    const value = graph.inputs.find((input) => input.name === name) ?? addValue(graph, name);
    if (!value.type) setType(value, { dtype: tensor.dtype, dims: tensor.dims });
    if (value.initializer) throw new EspalierError("bad-model", `the name '${name}' is defined twice`, { who });
    setConstant(value, tensor);
  };
  for (const tensor of proto.initializer) constant(tensor.name, (label) => readTensor(tensor, label, external));
  for (const sparse of proto.sparseInitializer) {
    constant(sparse.values?.name ?? "", (label) => readSparseTensor(sparse, label, external));
  }
  for (const node of proto.node) for (const output of node.output) if (output) addValue(graph, output);
  const nodes = proto.node.map((node) => [node, readNode(node, graph, who)] as const);
  sortNodes(graph);
  for (const [node, target] of nodes) {
    for (const attribute of node.attribute) {
      setAttribute(target, attribute.name, readAttribute(attribute, target, who, external));
    }
  }
  for (const info of proto.valueInfo) {
    const value = graph.values.get(info.name);
    if (!value || value.isGraphInput) continue;
    setType(value, readType(info.type, info.name));
    setOrigin(value, info);
  }
  for (const output of proto.output) {
    const value = graph.find(output.name);
    if (!value) throw undefinedName(output.name, who, `output of graph '${graph.name}'`);
    if (!value.isGraphInput && !value.initializer) {
      setType(value, readType(output.type, output.name));
      setOrigin(value, output);
    }
    addGraphOutput(graph, value);
  }
}

function readNode(proto: NodeProto, graph: Graph, who: string): Node {
  const label = `${proto.opType} '${proto.name || proto.output[0] || ""}'`;
  const node = addNode(graph, proto.opType, {
    domain: proto.domain === "ai.onnx" ? "" : proto.domain,
    name: proto.name,
    inputs: proto.input.map((name) => {
      if (!name) return null;
      const value = graph.find(name);
      if (!value) throw undefinedName(name, who, label);
      return value;
    }),
    outputs: proto.output.map((name) => (name ? (graph.values.get(name) ?? null) : null)),
  });
  setOrigin(node, proto);
  return node;
}

function undefinedName(name: string, who: string, reader: string): EspalierError {
  return new EspalierError("bad-model", `${reader} reads '${name}', which nothing defines`, { who });
}

function readAttribute(proto: AttributeProto, node: Node, who: string, external: ExternalReader): Attribute {
  const label = `${who}: ${node.label}, attribute ${proto.name}`;
  const graph = (body: GraphProto) => {
    const inner = createSubgraph(node.graph, body.name);
    readGraph(body, inner, who, external);
    return inner;
  };
  const origin = proto;
  if (proto.refAttrName) return { kind: "opaque", value: null, origin };
  switch (proto.type || kindByContent(proto)) {
    case Kind.FLOAT:
      return { kind: "float", value: proto.f, origin };
    case Kind.INT:
      return { kind: "int", value: Number(proto.i), origin };
    case Kind.STRING:
      return { kind: "string", value: new TextDecoder().decode(proto.s), origin };
    case Kind.TENSOR:
      if (!proto.t) throw new EspalierError("bad-model", "the tensor is missing", { who: label });
      return { kind: "tensor", value: readTensor(proto.t, label, external), origin };
    case Kind.GRAPH:
      if (!proto.g) throw new EspalierError("bad-model", "the graph is missing", { who: label });
      return { kind: "graph", value: graph(proto.g) };
    case Kind.FLOATS:
      return { kind: "floats", value: proto.floats, origin };
    case Kind.INTS:
      return { kind: "ints", value: proto.ints.map(Number), origin };
    case Kind.STRINGS:
      return { kind: "strings", value: proto.strings.map((s) => new TextDecoder().decode(s)), origin };
    case Kind.TENSORS:
      return { kind: "tensors", value: proto.tensors.map((t) => readTensor(t, label, external)), origin };
    case Kind.GRAPHS:
      return { kind: "graphs", value: proto.graphs.map(graph) };
    default:
      return { kind: "opaque", value: null, origin };
  }
}

/** Files before IR version 2 do not say the kind: it is the field that is filled. */
function kindByContent(proto: AttributeProto): Kind {
  if (Object.hasOwn(proto, "f")) return Kind.FLOAT;
  if (Object.hasOwn(proto, "i")) return Kind.INT;
  if (Object.hasOwn(proto, "s")) return Kind.STRING;
  if (proto.t) return Kind.TENSOR;
  if (proto.g) return Kind.GRAPH;
  if (proto.floats.length > 0) return Kind.FLOATS;
  if (proto.ints.length > 0) return Kind.INTS;
  if (proto.strings.length > 0) return Kind.STRINGS;
  return Kind.UNDEFINED;
}

/** The declared tensor type; null for sequences, maps, optionals, and where nothing is said. */
function readType(proto: TypeProto | undefined, who: string): ValueType | null {
  if (proto?.value.case !== "tensorType" || !proto.value.value.elemType) return null;
  const { elemType, shape } = proto.value.value;
  const dims = shape?.dim.map(({ value }) => {
    if (value.case === "dimValue") return Number(value.value);
    return value.case === "dimParam" && value.value ? value.value : null;
  });
  return { dtype: readDType(elemType, who), dims: dims ?? null };
}
