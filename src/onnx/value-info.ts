import { create } from "@bufbuild/protobuf";
import {
  type TensorShapeProto_Dimension,
  type TypeProto,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "onnx-buf";
import { dtypeOfCode, dtypes } from "../base/dtype.js";
import type { Value, ValueType } from "../graph/ir.js";

/** The three lists of a graph that declare values. */
export type InfoList = "input" | "output" | "valueInfo";

/** Origin of a value: its entry in each list of the file, and the type the reader made of them. */
export type ValueOrigin = { type: ValueType | null } & { [L in InfoList]?: ValueInfoProto };

/** The declared tensor type; null for sequences, maps, optionals, and where nothing is said. */
export function readType(proto: TypeProto | undefined): ValueType | null {
  if (proto?.value.case !== "tensorType") return null;
  const { elemType, shape } = proto.value.value;
  const dtype = dtypeOfCode(elemType);
  return dtype ? { dtype, dims: shape?.dim.map(readDim) ?? null } : null;
}

/** Exporters that know no symbolic dims write -1 for them. */
function readDim({ value }: TensorShapeProto_Dimension): number | string | null {
  if (value.case === "dimValue") return value.value >= 0n ? Number(value.value) : null;
  return value.case === "dimParam" && value.value ? value.value : null;
}

/** The entry of a value for one list: as the file had it, with the name and type the value has now. */
export function valueInfo(value: Value, list: InfoList): ValueInfoProto {
  const origin = value.origin as ValueOrigin | undefined;
  const proto = Object.assign(create(ValueInfoProtoSchema), origin?.[list], { name: value.name });
  const typeNow = origin && sameType(origin.type, value.type);
  if (typeNow && origin[list]) return proto;
  const declared = (origin?.[list] ?? origin?.output ?? origin?.valueInfo ?? origin?.input)?.type;
  if (typeNow && declared) proto.type = declared;
  else if (value.type) proto.type = typeProto(value.type, declared);
  else delete proto.type;
  return proto;
}

function sameType(a: ValueType | null, b: ValueType | null): boolean {
  if (a === b) return true;
  if (!a || !b || a.dtype !== b.dtype || a.dims?.length !== b.dims?.length) return false;
  return !a.dims || a.dims.every((dim, axis) => dim === b.dims?.[axis]);
}

/** A tensor type; denotations stay, those of axes while the rank does. */
function typeProto({ dtype, dims }: ValueType, before: TypeProto | undefined): TypeProto {
  const axes = before?.value.case === "tensorType" ? before.value.value.shape?.dim : undefined;
  const denoted = (said: { denotation: string } | undefined) => said?.denotation && { denotation: said.denotation };
  const dim = (size: number | string | null, axis: number) => ({
    ...(axes?.length === dims?.length && denoted(axes?.[axis])),
    ...(size !== null && {
      value:
        typeof size === "number"
          ? { case: "dimValue" as const, value: BigInt(size) }
          : { case: "dimParam" as const, value: size },
    }),
  });
  return create(TypeProtoSchema, {
    ...denoted(before),
    value: {
      case: "tensorType",
      value: { elemType: dtypes[dtype].code, ...(dims && { shape: { dim: dims.map(dim) } }) },
    },
  });
}
