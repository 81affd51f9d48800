import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type GraphProtoSchema,
  AttributeProto_AttributeType as Kind,
  type ModelProto,
  ModelProtoSchema,
  TensorProto_DataType as Type,
} from "onnx-buf";

export type ModelInit = MessageInitShape<typeof ModelProtoSchema>;
export type GraphInit = MessageInitShape<typeof GraphProtoSchema>;

export const props = (key: string) => [{ key, value: `value of ${key}` }];
export const tensorType = (elemType: number, ...dims: (bigint | string | null)[]) => ({
  value: {
    case: "tensorType" as const,
    value: {
      elemType,
      shape: {
        dim: dims.map((dim) => {
          if (dim === null) return {};
          if (typeof dim === "string") return { value: { case: "dimParam" as const, value: dim } };
          return { value: { case: "dimValue" as const, value: dim } };
        }),
      },
    },
  },
});
export const info = (name: string, type = tensorType(Type.FLOAT, 2n)) => ({ name, type });
export const raw = (values: number[]) => new Uint8Array(Float32Array.from(values).buffer);
export const utf8 = (text: string) => new TextEncoder().encode(text);

/** One of everything that onnx.proto can say and the IR does not model. */
export function everything(): ModelProto {
  const weight = {
    name: "w",
    dims: [2n],
    dataType: Type.FLOAT,
    rawData: raw([1, 2]),
    docString: "a weight",
    metadataProps: props("of w"),
  };
  const sequence = {
    value: { case: "sequenceType" as const, value: { elemType: tensorType(Type.FLOAT, null) } },
    denotation: "LIST",
  };
  const map = {
    value: { case: "mapType" as const, value: { keyType: Type.STRING, valueType: tensorType(Type.INT64) } },
  };
  const optional = { value: { case: "optionalType" as const, value: { elemType: sequence } } };
  const sparseType = { value: { case: "sparseTensorType" as const, value: { elemType: Type.FLOAT } } };
  const sparse = (name: string) => ({
    dims: [2n, 3n],
    values: { name, dims: [2n], dataType: Type.FLOAT, rawData: raw([5, 6]), docString: "values" },
    indices: { dims: [2n, 2n], dataType: Type.INT64, int64Data: [0n, 1n, 1n, 2n] },
  });
  const body = (name: string): GraphInit => ({
    name,
    docString: "a body",
    metadataProps: props(`of ${name}`),
    node: [{ opType: "Add", input: ["x", `${name}/w`], output: [`${name}/y`], metadataProps: props("of inner") }],
    initializer: [{ ...weight, name: `${name}/w` }],
    output: [info(`${name}/y`)],
    valueInfo: [info(`${name}/w`), info("nowhere")],
  });
  const init: ModelInit = {
    irVersion: 10n,
    producerName: "producer",
    producerVersion: "1.2.3",
    domain: "org.example",
    modelVersion: 7n,
    docString: "a model",
    metadataProps: props("of model"),
    opsetImport: [
      { domain: "ai.onnx.ml", version: 3n },
      { domain: "ai.onnx", version: 17n },
      { domain: "local", version: 1n },
    ],
    configuration: [{ name: "two devices", numDevices: 2, device: ["a", "b"] }],
    functions: [
      {
        name: "Twice",
        domain: "local",
        overload: "variant",
        input: ["a"],
        output: ["b"],
        attribute: ["alpha"],
        attributeProto: [{ name: "beta", type: Kind.FLOAT, f: 0.5 }],
        node: [{ opType: "Elu", input: ["a"], output: ["b"], attribute: [{ name: "alpha", refAttrName: "alpha" }] }],
        opsetImport: [{ domain: "", version: 17n }],
        docString: "a function",
        valueInfo: [info("b")],
        metadataProps: props("of function"),
      },
    ],
    trainingInfo: [
      {
        initialization: { name: "init", node: [{ opType: "RandomNormal", output: ["r"] }] },
        algorithm: { name: "step", node: [{ opType: "Identity", input: ["w"], output: ["w2"] }] },
        initializationBinding: [{ key: "w", value: "r" }],
        updateBinding: [{ key: "w", value: "w2" }],
      },
    ],
    graph: {
      name: "g",
      docString: "a graph",
      metadataProps: props("of graph"),
      quantizationAnnotation: [{ tensorName: "x", quantParameterTensorNames: [{ key: "SCALE_TENSOR", value: "w" }] }],
      input: [
        {
          name: "x",
          docString: "an input",
          metadataProps: props("of x"),
          type: {
            ...tensorType(Type.FLOAT, "N"),
            denotation: "IMAGE",
          },
        },
        info("late"),
        { name: "words", type: map },
        { name: "untyped" },
        { name: "maybe", type: optional },
        { name: "holes", type: sparseType },
        info("early"),
      ],
      initializer: [
        weight,
        { ...weight, name: "early" },
        { ...weight, name: "late", docString: "" },
        { name: "names", dims: [2n], dataType: Type.STRING, stringData: [utf8("a"), Uint8Array.of(0xff, 0xfe)] },
        { name: "typed", dims: [2n], dataType: Type.FLOAT, floatData: [1, 2], metadataProps: props("of typed") },
      ],
      sparseInitializer: [sparse("holey")],
      node: [
        {
          name: "add",
          opType: "Add",
          input: ["x", "w"],
          output: ["sum"],
          docString: "a node",
          metadataProps: props("of node"),
          deviceConfigurations: [{ configurationId: "two devices", pipelineStage: 1 }],
        },
        {
          opType: "Twice",
          domain: "local",
          overload: "variant",
          input: ["sum"],
          output: ["t"],
          attribute: [
            { name: "alpha", type: Kind.FLOAT, f: 1.5, docString: "an attribute" },
            { name: "huge", type: Kind.INT, i: 2n ** 62n + 1n },
            { name: "huges", type: Kind.INTS, ints: [2n ** 62n + 1n, -1n] },
            { name: "bytes", type: Kind.STRING, s: Uint8Array.of(0xff, 0x00) },
            { name: "texts", type: Kind.STRINGS, strings: [utf8("größe"), Uint8Array.of(0xef, 0xbb, 0xbf)] },
            { name: "floats", type: Kind.FLOATS, floats: [0.5, Number.POSITIVE_INFINITY] },
            { name: "none", type: Kind.INTS },
            { name: "type", type: Kind.TYPE_PROTO, tp: sequence },
            { name: "types", type: Kind.TYPE_PROTOS, typeProtos: [map, optional] },
            { name: "sparse", type: Kind.SPARSE_TENSOR, sparseTensor: sparse("in attribute") },
            { name: "sparses", type: Kind.SPARSE_TENSORS, sparseTensors: [sparse("in list")] },
            { name: "tensor", type: Kind.TENSOR, t: weight, docString: "with a tensor" },
            { name: "strings", type: Kind.TENSOR, t: { dims: [1n], dataType: Type.STRING, stringData: [utf8("s")] } },
            { name: "tensors", type: Kind.TENSORS, tensors: [weight, { ...weight, name: "" }], docString: "several" },
            { name: "kindless", f: 2 },
          ],
        },
        {
          opType: "If",
          domain: "ai.onnx",
          input: ["condition", ""],
          output: ["chosen", ""],
          attribute: [
            { name: "then_branch", type: Kind.GRAPH, g: body("then"), docString: "taken" },
            { name: "more", type: Kind.GRAPHS, graphs: [body("one"), body("two")], docString: "graphs" },
            { name: "else_branch", type: Kind.GRAPH, g: body("else") },
          ],
        },
        { opType: "SequenceConstruct", input: ["t", "chosen"], output: ["sequence"] },
        { opType: "Cast", input: ["x"], output: ["condition"], attribute: [{ name: "to", type: Kind.INT, i: 9n }] },
      ],
      output: [info("chosen"), { name: "x", docString: "handed through" }, info("w"), info("chosen")],
      valueInfo: [
        { name: "sequence", type: sequence },
        { name: "sum", type: tensorType(Type.FLOAT, 2n), docString: "a sum", metadataProps: props("of sum") },
        info("w"),
        info("x", tensorType(Type.FLOAT, "N")),
        { name: "t" },
        info("condition", tensorType(99)),
        info("dangling"),
      ],
    },
  };
  return create(ModelProtoSchema, init);
}
