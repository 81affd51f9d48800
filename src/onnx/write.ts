import { create, toBinary } from "@bufbuild/protobuf";
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
} from "onnx-buf";
import { EspalierError, quoted } from "../base/errors.js";
import { toInt64 } from "../base/tensor.js";
import { constantOf, isConstantNode } from "../graph/constant.js";
import type { Attribute, Graph, Model, Node, Value } from "../graph/ir.js";
import { topologicalOrder } from "../graph/walk.js";
import { opsetsOf, standardDomain } from "./opsets.js";
import { encodeApart, encodeInitializer, encodeTensor, type Storage } from "./storage.js";
import { isExternal, sparseOrigin } from "./tensor-proto.js";
import { type InfoList, type ValueOrigin, valueInfo } from "./value-info.js";
import { byteLengthOfPieces, joinPieces, lengthDelimited, type Piece } from "./wire.js";

// Field numbers of onnx.proto.
const modelGraph = 7;
const graphNode = 1;
const nodeAttribute = 5;
const attributeTensor = 5;
const attributeGraph = 6;
const attributeTensors = 10;
const attributeGraphs = 11;

export interface EncodeOptions extends Partial<Storage> {
  /** Values of the main graph that become graph outputs beside the model's own. */
  extraOutputs?: readonly Value[];
}

/** Protobuf's limit for a message, and so for an ONNX file without external data. */
export const mostBytes = 2 ** 31 - 1;

/** The first IR version with `sparse_initializer`. */
const sparseIrVersion = 6;

/** The first IR version whose initializers need not be graph inputs too. */
const plainInitializerIrVersion = 4;

/**
 * The bytes of the ONNX file, in pieces: tensors are handed on as they are and fetched when written, so that a model
 * is written with little more memory than it already takes. Throws `unsupported` for 2 GiB or more.
 */
export function encodeModel(model: Model, options: EncodeOptions = {}): Piece[] {
  const { sparse = false, external = null, extraOutputs = [] } = options;
  const origin = model.origin as ModelProto | undefined;
  const needed = sparse ? sparseIrVersion : external ? plainInitializerIrVersion : 0;
  const irVersion = Math.max(model.irVersion, needed);
  // Old versions demand that initializers are inputs too. In new ones that means that callers may replace the weights,
  // and keeps runtimes from folding them.
  const initializersAreInputs = model.irVersion < plainInitializerIrVersion && irVersion > model.irVersion;
  const inputs = initializersAreInputs ? model.graph.requiredInputs : model.graph.inputs;
  const graph = encodeGraph(model.graph, { sparse, external }, inputs, extraOutputs);
  const proto = Object.assign(create(ModelProtoSchema), origin ?? { producerName: "espalier" }, {
    opsetImport: opsetImport(model, origin),
  });
  if (irVersion !== Number(proto.irVersion)) proto.irVersion = BigInt(irVersion);
  const pieces = [toBinary(ModelProtoSchema, proto), ...lengthDelimited(modelGraph, graph)];
  const size = byteLengthOfPieces(pieces);
  if (size > mostBytes) {
    throw new EspalierError("unsupported", `the model takes ${size} bytes, an ONNX file must stay below 2 GiB`, {
      hint: "Write it with its weights in a second file: externalData: true, --external-data on the command line.",
    });
  }
  return pieces;
}

/** The whole ONNX file in one array. `extraOutputs` become graph outputs beside the model's own. */
export function modelBytes(model: Model, extraOutputs: readonly Value[] = []): Uint8Array {
  return joinPieces(encodeModel(model, { extraOutputs }));
}

/** The file's entries with the model's versions, then the domains that came later. */
function opsetImport(model: Model, origin: ModelProto | undefined) {
  const read = opsetsOf(origin?.opsetImport ?? []);
  const kept = (origin?.opsetImport ?? []).flatMap((entry) => {
    const domain = standardDomain(entry.domain);
    const version = model.opsets.get(domain);
    if (version === undefined) return [];
    if (version === read.get(domain)) return [entry];
    return [Object.assign(create(OperatorSetIdProtoSchema), entry, { version: BigInt(version) })];
  });
  const added = [...model.opsets].filter(([domain]) => !read.has(domain));
  return [
    ...kept,
    ...added.map(([domain, version]) => create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) })),
  ];
}

function encodeGraph(
  graph: Graph,
  storage: Storage,
  inputs: readonly Value[] = graph.inputs,
  extraOutputs: readonly Value[] = [],
): Piece[] {
  const origin = graph.origin as GraphProto | undefined;
  // A value from around the graph has its own entries there; the reader leaves this graph's one with the graph.
  const foreign = new Map(origin?.output.map((info) => [info.name, info]));
  const proto = Object.assign(create(GraphProtoSchema), origin, {
    input: inputs.map((input) => valueInfo(input, "input")),
    output: [...graph.outputs, ...extraOutputs.filter((value) => !value.isGraphOutput)].map(
      (output) => (output.graph !== graph && foreign.get(output.name)) || valueInfo(output, "output"),
    ),
    valueInfo: [...(origin?.valueInfo ?? [])],
  });
  if (graph.name !== proto.name) proto.name = graph.name;
  const order = topologicalOrder(graph);
  const given = [...graph.values.values()].filter((value) => !value.producer);
  const computed = order.flatMap((node) => node.outputs).filter((output) => output !== null);
  const constants: Piece[] = [];
  for (const value of [...given, ...computed]) {
    const { initializer, origin } = value;
    if (initializer) constants.push(...encodeInitializer(initializer, value.name, storage, value.returnedBy.size > 0));
    const listed = value.isGraphInput || value.isGraphOutput || initializer;
    if (hasEntry(origin, "valueInfo") || (!listed && (value.type || origin))) {
      proto.valueInfo.push(valueInfo(value, "valueInfo"));
    }
  }
  const nodes: Piece[] = [];
  let simple: NodeProto[] = [];
  const flush = () => {
    if (simple.length > 0) nodes.push(toBinary(GraphProtoSchema, create(GraphProtoSchema, { node: simple })));
    simple = [];
  };
  for (const node of order) {
    assertNamesReach(node);
    const lifted = liftConstant(node, storage);
    if (lifted) constants.push(...lifted);
    else if (holdsMuch(node)) {
      flush();
      nodes.push(...lengthDelimited(graphNode, encodeNode(node, storage)));
    } else {
      simple.push(
        nodeProto(
          node,
          [...node.attributes].map(([name, attribute]) => plainAttribute(name, attribute)),
        ),
      );
      if (simple.length === nodesAtOnce) flush();
    }
  }
  flush();
  return [...nodes, toBinary(GraphProtoSchema, proto), ...constants];
}

/** Messages take ten times the memory of their bytes: few are there at a time. */
const nodesAtOnce = 64;

function hasEntry(origin: unknown, list: InfoList): boolean {
  return (origin as ValueOrigin | undefined)?.[list] !== undefined;
}

/** A Constant node as an initializer, where that allows to keep its tensor sparse or in another file; else null. */
function liftConstant(node: Node, storage: Storage): Piece[] | null {
  if (!isConstantNode(node) || node.attributes.get("value")?.kind !== "tensor") return null;
  const value = node.outputs[0];
  const tensor = constantOf(value);
  return value && tensor && encodeApart(tensor, value.name, storage, value.returnedBy.size > 0);
}

/** A body's node finds an outer value by name, unless the body has a value of its own of that name. */
function assertNamesReach(node: Node): void {
  for (const input of node.inputs) {
    if (!input || input.graph === node.graph || node.graph.find(input.name) === input) continue;
    throw new EspalierError("bad-model", `it reads ${quoted(input.name)} of graph ${quoted(input.graph.name)}`, {
      who: node.label,
      hint: "A value of its own graph has the same name and hides that one: rename either.",
    });
  }
}

/** Tensors smaller than this are copied into their node's message; copying larger ones would cost memory. */
const smallTensor = 1024;

/** Whether a node's message must be made of pieces: it holds graphs, large tensors, or new ones. */
function holdsMuch(node: Node): boolean {
  for (const { kind, value, origin } of node.attributes.values()) {
    if (kind === "graph" || kind === "graphs" || kind === "tensors") return true;
    if (kind !== "tensor" || sparseOrigin(value)) continue;
    if (!origin || value.byteLength >= smallTensor || isExternal(value.origin)) return true;
  }
  return false;
}

function encodeNode(node: Node, storage: Storage): Piece[] {
  const pieces: Piece[] = [toBinary(NodeProtoSchema, nodeProto(node, []))];
  for (const [name, attribute] of node.attributes) {
    pieces.push(...lengthDelimited(nodeAttribute, encodeAttribute(name, attribute, storage)));
  }
  return pieces;
}

function nodeProto(node: Node, attribute: AttributeProto[]): NodeProto {
  const origin = node.origin as NodeProto | undefined;
  const proto = Object.assign(create(NodeProtoSchema), origin, {
    input: node.inputs.map((input) => input?.name ?? ""),
    output: node.outputs.map((output) => output?.name ?? ""),
    attribute,
  });
  if (node.name !== proto.name) proto.name = node.name;
  const domain = standardDomain(proto.domain);
  if (node.type === proto.opType && node.domain === domain) return proto;
  proto.opType = node.type;
  if (node.domain !== domain) proto.domain = node.domain;
  // It named a variant of the function that the node called before.
  delete (proto as Partial<NodeProto>).overload;
  return proto;
}

function encodeAttribute(name: string, attribute: Attribute, storage: Storage): Piece[] {
  // onnxruntime-web finds external data for the main graph only.
  const inBody = { ...storage, external: null };
  const { kind, value, origin } = attribute;
  const own = origin as AttributeProto | undefined;
  const header = Object.assign(create(AttributeProtoSchema), plainAttribute(name, attribute));
  const pieces = (field: number, bodies: readonly Piece[][]) => [
    toBinary(AttributeProtoSchema, header),
    ...bodies.flatMap((body) => lengthDelimited(field, body)),
  ];
  switch (kind) {
    case "tensor":
      if (origin && sparseOrigin(value)) break;
      header.t = undefined;
      return pieces(attributeTensor, [encodeTensor(value, own?.t?.name ?? "")]);
    case "tensors":
      header.tensors = [];
      return pieces(
        attributeTensors,
        value.map((tensor, i) => encodeTensor(tensor, own?.tensors[i]?.name ?? "")),
      );
    case "graph":
      return pieces(attributeGraph, [encodeGraph(value, inBody)]);
    case "graphs":
      return pieces(
        attributeGraphs,
        value.map((graph) => encodeGraph(graph, inBody)),
      );
  }
  return [toBinary(AttributeProtoSchema, header)];
}

/** An attribute's message without its tensors and graphs, unless these are the file's own. */
function plainAttribute(name: string, { kind, value, origin }: Attribute): AttributeProto {
  const own = origin as AttributeProto | undefined;
  if (own) return own.name === name ? own : Object.assign(create(AttributeProtoSchema), own, { name });
  const proto = create(AttributeProtoSchema, { name });
  const utf8 = (text: string) => new TextEncoder().encode(text);
  switch (kind) {
    case "int":
      return Object.assign(proto, { type: Kind.INT, i: toInt64(value) });
    case "ints":
      return Object.assign(proto, { type: Kind.INTS, ints: value.map(toInt64) });
    case "float":
      return Object.assign(proto, { type: Kind.FLOAT, f: Math.fround(value) });
    case "floats":
      return Object.assign(proto, { type: Kind.FLOATS, floats: value.map(Math.fround) });
    case "string":
      return Object.assign(proto, { type: Kind.STRING, s: utf8(value) });
    case "strings":
      return Object.assign(proto, { type: Kind.STRINGS, strings: value.map(utf8) });
    case "tensor":
      return Object.assign(proto, { type: Kind.TENSOR });
    case "tensors":
      return Object.assign(proto, { type: Kind.TENSORS });
    case "graph":
      return Object.assign(proto, { type: Kind.GRAPH });
    case "graphs":
      return Object.assign(proto, { type: Kind.GRAPHS });
    case "opaque":
      return proto;
  }
}
