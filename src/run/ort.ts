import type { InferenceSession, Tensor as OrtTensor, TensorConstructor, TypedTensor } from "onnxruntime-common";
import type { DType } from "../base/dtype.js";
import { EspalierError, messageOf, quoted } from "../base/errors.js";
import { Tensor } from "../base/tensor.js";
import { operatorName } from "../graph/ir.js";
import type { InputInfo, Session, Tensors } from "./session.js";

// What onnxruntime-node and onnxruntime-web have in common.

const ortTypes: Partial<Record<DType, OrtTensor.Type>> = {
  float: "float32",
  double: "float64",
  float16: "float16",
  uint8: "uint8",
  int8: "int8",
  uint16: "uint16",
  int16: "int16",
  int32: "int32",
  int64: "int64",
  uint32: "uint32",
  uint64: "uint64",
  bool: "bool",
};
const dtypeOfOrt = new Map(Object.entries(ortTypes).map(([dtype, type]) => [type, dtype as DType]));

export function wrapSession(session: InferenceSession, OrtTensor: TensorConstructor, who: string): Session {
  const describe = (metadata: readonly InferenceSession.ValueMetadata[]): InputInfo[] =>
    metadata.map((info) => ({
      name: info.name,
      dtype: info.isTensor ? (dtypeOfOrt.get(info.type) ?? null) : null,
      dims: info.isTensor ? info.shape : [],
    }));
  // Asked for a tensor of 4 bits, onnxruntime-node 1.30 allocates until the process dies.
  const carried = session.outputMetadata.filter((info) => !info.isTensor || dtypeOfOrt.has(info.type));
  const canCarry = new Set(carried.map(({ name }) => name));
  return {
    inputs: describe(session.inputMetadata),
    outputs: describe(session.outputMetadata),
    async run(feeds: Tensors, outputs?: readonly string[]) {
      const ortFeeds: Record<string, OrtTensor> = {};
      for (const [name, tensor] of Object.entries(feeds)) {
        const type = ortTypes[tensor.dtype];
        if (!type)
          throw new EspalierError("unsupported", `${who} cannot be fed ${tensor.dtype} tensors`, { who: name });
        ortFeeds[name] = new OrtTensor(
          type,
          tensor.array as OrtTensor.DataType,
          tensor.dims as number[],
        ) as TypedTensor<"float32">;
      }
      let results: InferenceSession.OnnxValueMapType;
      try {
        const wanted = (outputs ?? session.outputNames).filter((name) => canCarry.has(name));
        results = wanted.length === 0 ? {} : await session.run(ortFeeds, wanted);
      } catch (cause) {
        throw new EspalierError("runtime", `${who} stopped: ${messageOf(cause)}`, { cause });
      }
      const tensors: Tensors = {};
      for (const [name, value] of Object.entries(results)) {
        const dtype = dtypeOfOrt.get(value.type as OrtTensor.Type);
        // Sequences, maps and other element types have no counterpart here; who needs one asks for it by name and finds it missing.
        if (dtype) tensors[name] = toTensor(dtype, value as OrtTensor);
      }
      return tensors;
    },
    async release() {
      await session.release();
    },
  };
}

function toTensor(dtype: DType, value: OrtTensor): Tensor {
  let data = value.data;
  if (dtype === "float16" && !(data instanceof Uint16Array)) {
    // Newer JavaScript engines have Float16Array, which onnxruntime then returns.
    const view = data as Uint8Array;
    data = new Uint16Array(view.buffer, view.byteOffset, view.byteLength / 2);
  }
  return Tensor.fromArray(dtype, value.dims, data as Float32Array);
}

/** The options that both packages understand. */
export function ortOptions(options: {
  threads?: number;
  optimization?: string;
  profile?: string;
}): InferenceSession.SessionOptions {
  return {
    graphOptimizationLevel: (options.optimization ?? "all") as "all",
    // What fails comes back as an error; onnxruntime need not print it beside.
    logSeverityLevel: 4,
    ...(options.threads && { intraOpNumThreads: options.threads, interOpNumThreads: 1 }),
    ...(options.profile && { enableProfiling: true, profileFilePrefix: options.profile }),
  };
}

// How onnxruntime says that it cannot run an operator: it knows none of that name, or has it for other hardware only.
const unknownCustom = /\b([^\s:]*):(\w+)\(-?\d+\) is not a registered function\/op/;
const unknownStandard = /No Op registered for (\w+) with domain_version/;
const noKernel = /Could not find an implementation for (\w+)\(\d+\) node with name '(.*?)'/;

export function loadError(who: string, cause: unknown): EspalierError {
  const message = messageOf(cause);
  const [, domain, custom] = unknownCustom.exec(message) ?? [];
  const unknown = custom ? operatorName(domain, custom) : unknownStandard.exec(message)?.[1];
  if (unknown) {
    const hint = "espalier runs models with onnxruntime, without operators of other libraries. Export without it.";
    return new EspalierError("runtime", `${who} has no operator ${unknown}, which the model uses`, { hint, cause });
  }
  const [, kernel, node] = noKernel.exec(message) ?? [];
  if (kernel) {
    const hint = "It may run on other hardware, or with other element types.";
    const what = `${who} cannot run the operator ${kernel} of the node ${quoted(node)}`;
    return new EspalierError("runtime", what, { hint, cause });
  }
  return new EspalierError("runtime", `${who} does not load the model: ${message}`, { cause });
}
