import { fromBinary } from "@bufbuild/protobuf";
import {
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProto,
  type SparseTensorProto,
  type TensorProto,
} from "onnx-buf";
import { brief, EspalierError, messageOf, quoted } from "../base/errors.js";
import type { Tensor } from "../base/tensor.js";
import {
  addGraphInput,
  addGraphOutput,
  addNode,
  addValue,
  createSubgraph,
  setAttribute,
  setConstant,
  setOpsets,
  setOrigin,
  setType,
} from "../graph/edit.js";
import { type Attribute, type Graph, Model, type Node, type Value } from "../graph/ir.js";
import { sortNodes } from "../graph/walk.js";
import { assertAffordable } from "./budget.js";
import { opsetsOf, standardDomain } from "./opsets.js";
import { readSparseTensor } from "./sparse.js";
import { type ExternalReader, isExternal, readTensor } from "./tensor-proto.js";
import { type InfoList, readType, type ValueOrigin } from "./value-info.js";

export interface ParseOptions {
  /** How messages name the file. */
  who?: string;
  /** Where external data comes from. Default: it is refused. */
  external?: ExternalReader;
}

/** What every step of the reading needs. */
interface Source {
  who: string;
  external: ExternalReader | null;
}

/**
 * Reads the bytes of an ONNX file. Tensors are views of `bytes`, which must stay unchanged.
 * Throws `bad-model` for anything that is not a well-formed model, `unsupported` for the few things espalier cannot
 * carry along.
 */
export function parseModel(bytes: Uint8Array, { who = "model", external }: ParseOptions = {}): Model {
  try {
    return readWholeModel(bytes, { who, external: external ?? null });
  } catch (error) {
    if (error instanceof RangeError) throw unreadable("it claims lengths beyond its end", who, error);
    if (!(error instanceof EspalierError)) throw unreadable(messageOf(error), who, error);
    if (error.who?.startsWith(who)) throw error;
    const { code, what, hint, cause } = error;
    throw new EspalierError(code, what, { who: error.who ? `${who}: ${error.who}` : who, hint, cause });
  }
}

const gitLfs = "version https://git-lfs.github.com/";

function unreadable(why: string, who: string, cause?: unknown): EspalierError {
  return new EspalierError("bad-model", `not a readable ONNX file (${why})`, {
    who,
    hint: "It may be cut short or of another format.",
    cause,
  });
}

function readWholeModel(bytes: Uint8Array, source: Source): Model {
  if (bytes.byteLength === 0) throw unreadable("it is empty", source.who);
  if (text(bytes.subarray(0, gitLfs.length)) === gitLfs) {
    throw new EspalierError("bad-model", "this is Git LFS's placeholder, not the model", {
      who: source.who,
      hint: "Fetch the model with: git lfs pull",
    });
  }
  // Not as a Buffer, whose slice() does not copy and whose subarray() is slow.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  assertAffordable(plain, ModelProtoSchema);
  const proto = fromBinary(ModelProtoSchema, plain);
  if (!proto.graph) throw unreadable("it holds no graph", source.who);
  const model = new Model(Number(proto.irVersion), 1, proto.graph.name);
  setOpsets(model, opsetsOf(proto.opsetImport));
  readGraph(proto.graph, model.graph, source);
  for (const { name, node } of proto.functions) assertSelfContained(node, `function ${quoted(name)}`);
  for (const { initialization, algorithm } of proto.trainingInfo) {
    for (const graph of [initialization, algorithm]) if (graph) assertGraphSelfContained(graph, "training_info");
  }
  // Origins carry only what the IR does not: the rest would be kept twice.
  proto.graph = undefined;
  setOrigin(model, proto);
  return model;
}

function readGraph(proto: GraphProto, graph: Graph, source: Source): void {
  // Initializers first, in the file's order: where they are inputs too, the inputs' order is another list.
  for (const tensor of proto.initializer) {
    const who = `${source.who}: initializer ${quoted(tensor.name)}`;
    setConstant(addValue(graph, tensor.name), readTensor(tensor, who, source.external));
  }
  for (const sparse of proto.sparseInitializer) {
    const name = sparse.values?.name ?? "";
    setConstant(addValue(graph, name), readSparseTensor(sparse, `${source.who}: initializer ${quoted(name)}`));
  }
  for (const input of proto.input) {
    const known = graph.values.get(input.name);
    if (known?.isGraphInput) throw twice(input.name, "graph input");
    addGraphInput(graph, known ?? addValue(graph, input.name));
  }
  for (const node of proto.node) for (const output of node.output) if (output) addValue(graph, output);
  const nodes = proto.node.map((node) => readNode(node, graph));
  for (const output of proto.output) {
    const value = graph.find(output.name);
    if (!value) throw undefinedName(output.name, `graph ${quoted(graph.name)}`, "gives out");
    addGraphOutput(graph, value);
  }
  readTypes(proto, graph);
  for (const [index, node] of nodes.entries()) readAttributes(proto.node[index], node, source);
  sortNodes(graph);
  setOrigin(graph, Object.assign(proto, { node: [], initializer: [], sparseInitializer: [], input: [] }));
}

/**
 * Gives values their declared type and their entries of the file's lists. What belongs to no value of this graph stays
 * with the graph's message.
 */
function readTypes(proto: GraphProto, graph: Graph): void {
  const lists: InfoList[] = ["input", "output", "valueInfo"];
  const entries = new Map<Value, Omit<ValueOrigin, "type">>();
  for (const list of lists) {
    proto[list] = proto[list].filter((info) => {
      const value = graph.values.get(info.name);
      if (!value) return true;
      const said = entries.get(value);
      if (!said) entries.set(value, { [list]: info });
      else if (!said[list]) said[list] = info;
      return false;
    });
  }
  for (const [value, said] of entries) {
    const declared = readType(said.input?.type) ?? readType(said.output?.type) ?? readType(said.valueInfo?.type);
    if (declared) setType(value, declared);
    // Where the file contradicts itself, what counts is the tensor.
    if (value.initializer) setConstant(value, value.initializer);
    setOrigin(value, { ...said, type: value.type });
  }
}

function readNode(proto: NodeProto, graph: Graph): Node {
  const node = addNode(graph, proto.opType, {
    domain: standardDomain(proto.domain),
    name: proto.name,
    inputs: proto.input.map((name) => {
      if (!name) return null;
      const value = graph.find(name);
      if (!value)
        throw undefinedName(name, `${brief(proto.opType)} ${quoted(proto.name || (proto.output[0] ?? ""))}`, "reads");
      return value;
    }),
    outputs: proto.output.map((name) => (name ? (graph.values.get(name) ?? null) : null)),
  });
  setOrigin(node, proto);
  return node;
}

function undefinedName(name: string, who: string, does: "reads" | "gives out"): EspalierError {
  return new EspalierError("bad-model", `it ${does} ${quoted(name)}, which nothing defines`, { who });
}

function twice(name: string, what: string): EspalierError {
  return new EspalierError("bad-model", `the ${what} ${quoted(name)} is there twice`);
}

function readAttributes(proto: NodeProto, node: Node, source: Source): void {
  for (const attribute of proto.attribute) {
    if (node.attributes.has(attribute.name)) {
      throw new EspalierError("bad-model", `the attribute ${quoted(attribute.name)} is there twice`, {
        who: node.label,
      });
    }
    setAttribute(node, attribute.name, readAttribute(attribute, node, source));
  }
  proto.attribute = [];
}

function readAttribute(proto: AttributeProto, node: Node, source: Source): Attribute {
  const origin = proto;
  const tensor = (t: TensorProto): Tensor => readTensor(t, who(), source.external);
  // Made on demand: most attributes are numbers, which cannot be wrong.
  const who = () => `${source.who}: ${node.label}, attribute ${quoted(proto.name)}`;
  const graph = (body: GraphProto): Graph => {
    const inner = createSubgraph(node.graph, body.name);
    readGraph(body, inner, source);
    return inner;
  };
  // A reference to an attribute of the function around it.
  if (proto.refAttrName) return { kind: "opaque", value: null, origin };
  switch (proto.type || kindByContent(proto)) {
    case Kind.FLOAT:
      return { kind: "float", value: proto.f, origin };
    case Kind.INT:
      return { kind: "int", value: Number(proto.i), origin };
    case Kind.STRING:
      return { kind: "string", value: text(proto.s), origin };
    case Kind.TENSOR:
      return { kind: "tensor", value: tensor(present(proto.t, "tensor", who())), origin };
    case Kind.SPARSE_TENSOR: {
      const sparse: SparseTensorProto = present(proto.sparseTensor, "sparse tensor", who());
      return { kind: "tensor", value: readSparseTensor(sparse, who()), origin };
    }
    case Kind.GRAPH: {
      const value = graph(present(proto.g, "graph", who()));
      proto.g = undefined;
      return { kind: "graph", value, origin };
    }
    case Kind.FLOATS:
      return { kind: "floats", value: proto.floats, origin };
    case Kind.INTS:
      return { kind: "ints", value: proto.ints.map(Number), origin };
    case Kind.STRINGS:
      return { kind: "strings", value: proto.strings.map(text), origin };
    case Kind.TENSORS:
      return { kind: "tensors", value: proto.tensors.map(tensor), origin };
    case Kind.GRAPHS: {
      const value = proto.graphs.map(graph);
      proto.graphs = [];
      return { kind: "graphs", value, origin };
    }
    default:
      return { kind: "opaque", value: null, origin };
  }
}

function present<T>(part: T | undefined, what: string, who: string): T {
  if (part === undefined) throw new EspalierError("bad-model", `the ${what} is missing`, { who });
  return part;
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

function text(bytes: Uint8Array): string {
  return decoder.decode(bytes);
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
  if (proto.tensors.length > 0) return Kind.TENSORS;
  if (proto.graphs.length > 0) return Kind.GRAPHS;
  return Kind.UNDEFINED;
}

/**
 * Functions and training graphs are carried along unread. Tensors in other files cannot stay there: the model may be
 * written to another folder.
 */
function assertSelfContained(nodes: FunctionProto["node"], who: string): void {
  for (const { attribute } of nodes) {
    for (const { t, tensors, g, graphs } of attribute) {
      for (const tensor of t ? [t, ...tensors] : tensors) assertInline(tensor, who);
      for (const graph of g ? [g, ...graphs] : graphs) assertGraphSelfContained(graph, who);
    }
  }
}

function assertGraphSelfContained({ initializer, node }: GraphProto, who: string): void {
  for (const tensor of initializer) assertInline(tensor, who);
  assertSelfContained(node, who);
}

function assertInline(tensor: TensorProto, who: string): void {
  if (!isExternal(tensor)) return;
  throw new EspalierError("unsupported", `its tensor ${quoted(tensor.name)} is in another file`, { who });
}
