import { create, toBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { expect, test } from "vitest";
import { assertAffordable } from "./budget.js";
import { everything } from "./everything.cases.js";
import { parseModel } from "./read.js";

/** Tag and length of a field. */
function header(tag: number, size: number): Uint8Array {
  const length = [0, 7, 14, 21, 28].map((shift) => (Math.floor(size / 2 ** shift) & 0x7f) | (shift < 28 ? 0x80 : 0));
  return Uint8Array.of(tag, ...length);
}

/** A field of `size` bytes whose content is `pattern` over and over. */
function field(tag: number, pattern: number[], size: number): Uint8Array {
  return Buffer.concat([header(tag, size), Buffer.alloc(size, Uint8Array.from(pattern))]);
}

const lengthDelimited = (number: number) => (number << 3) | 2;
const [graph, node, initializer, attribute, int64Data] = [7, 1, 5, 5, 7].map(lengthDelimited);

test("files of tiny parts are refused before they are decoded", () => {
  const size = 10 * 2 ** 20;
  // One tensor of a hundred million integers of a byte each.
  const integers = Buffer.alloc(112 * 2 ** 20, 1);
  for (const [depth, tag] of [graph, initializer, int64Data].entries()) {
    integers.set(header(tag, integers.length - 6 * (depth + 1)), 6 * depth);
  }
  const attacks = {
    "empty nodes": field(graph, [node, 0], size),
    "empty tensors": field(graph, [initializer, 0], size),
    "unknown fields": field(graph, [4 << 3, 0], size),
    "messages that call themselves numbers": field(graph, [1 << 3, 0], size),
    // The decoder goes on reading a part beyond the end of what it stands in.
    "a part that claims to reach beyond the whole": Buffer.concat([
      header(graph, 6),
      field(node, [attribute, 0], size),
    ]),
    "packed integers": integers,
  };
  const rss = process.memoryUsage().rss;
  for (const [name, bytes] of Object.entries(attacks)) {
    expect(() => parseModel(bytes), name).toThrow("so many tiny parts that they would fill the memory");
  }
  expect(process.memoryUsage().rss - rss).toBeLessThan(100e6);
});

test("real models are far from the limit", () => {
  assertAffordable(toBinary(ModelProtoSchema, everything()), ModelProtoSchema);
  const dims = Array.from({ length: 4 }, () => ({ value: { case: "dimValue" as const, value: 1n } }));
  const type = { value: { case: "tensorType" as const, value: { elemType: 1, shape: { dim: dims } } } };
  const valueInfo = Array.from({ length: 100_000 }, (_, i) => ({ name: `v${i}`, type }));
  assertAffordable(toBinary(ModelProtoSchema, create(ModelProtoSchema, { graph: { valueInfo } })), ModelProtoSchema);
});
