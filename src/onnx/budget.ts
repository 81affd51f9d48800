import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { EspalierError } from "../base/errors.js";

// Two bytes can be an empty message, which as a JavaScript object takes hundreds: a small file could fill the memory,
// which ends the process without an error that anyone could catch. So the file is measured before it is decoded.

// Bytes that decoding takes, roughly as measured: 110 for a Dimension, 260 for a NodeProto, 410 for a TensorProto.
const perMessage = (message: DescMessage) => 60 + 25 * message.fields.length;
const perUnknownField = 200;
const perField = 40;
const perPackedInteger = 30;

/** A graph without weights takes 30 times its size, one with weights next to nothing; a Node process has 4 GiB. */
const allowance = (size: number) => Math.min(2 ** 28 + 64 * size, 3 * 2 ** 30);

/** As deep as the decoder goes. */
const deepest = 100;

/**
 * Throws `bad-model` when decoding `bytes` would take far more memory than a model of that size needs. Goes the
 * decoder's own way, by its reader: what that would refuse throws here, too.
 */
export function assertAffordable(bytes: Uint8Array, schema: DescMessage): void {
  const reader = new BinaryReader(bytes);
  let left = allowance(bytes.byteLength);
  const spend = (cost: number) => {
    left -= cost;
    if (left >= 0) return;
    throw new EspalierError("bad-model", "the file is made of so many tiny parts that they would fill the memory", {
      hint: "No exporter writes such files: it is damaged or made to do harm.",
    });
  };

  const walk = (message: DescMessage, end: number, depth: number): void => {
    if (depth > deepest) throw new Error(`it nests deeper than ${deepest} levels`);
    const fields = fieldsOf(message);
    while (reader.pos < end) {
      const [number, wireType] = reader.tag();
      const field = fields.get(number);
      if (!field) {
        spend(perUnknownField);
        reader.skip(wireType, number, deepest - depth);
      } else if (field.message) {
        spend(perMessage(field.message));
        const length = reader.uint32();
        walk(field.message, reader.pos + length, depth + 1);
      } else {
        spend(perField);
        // A list of numbers may stand in one field.
        const packed = field.isList && wireType === WireType.LengthDelimited;
        const start = reader.pos;
        reader.skip(packed ? wireType : field.wireType, number);
        if (packed && field.wireType === WireType.Varint)
          spend(countVarints(bytes, start, reader.pos) * perPackedInteger);
      }
    }
  };
  walk(schema, bytes.byteLength, 1);
}

function countVarints(bytes: Uint8Array, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at++) if (bytes[at] < 0x80) count++;
  return count;
}

interface Field {
  message: DescMessage | undefined;
  isList: boolean;
  /** How an item is written, whatever the tag says. */
  wireType: WireType;
}

const known = new WeakMap<DescMessage, Map<number, Field>>();

function fieldsOf(message: DescMessage): Map<number, Field> {
  let fields = known.get(message);
  if (!fields) {
    fields = new Map(
      message.fields.map((field) => [
        field.number,
        { message: field.message, isList: field.fieldKind === "list", wireType: wireTypeOf(field) },
      ]),
    );
    known.set(message, fields);
  }
  return fields;
}

function wireTypeOf({ scalar }: DescField): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.FLOAT:
      return WireType.Bit32;
    case ScalarType.DOUBLE:
      return WireType.Bit64;
    default:
      return WireType.Varint;
  }
}
