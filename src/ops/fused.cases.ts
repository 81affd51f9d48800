import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

const positive = { low: 0.5, high: 1.5 };

const of = (op: string, name: string, build: OpCase["build"]): OpCase => ({ op: `com.microsoft.${op}`, name, build });

const product = (name: string, a: readonly number[], b: readonly number[], flags: readonly string[]): OpCase =>
  of("FusedMatMul", name, (c) =>
    c.emit("com.microsoft.FusedMatMul", [c.float(a), c.float(b)], {
      alpha: attr.float(0.5),
      ...Object.fromEntries(flags.map((flag) => [flag, attr.int(1)])),
    }),
  );

export const fusedCases: readonly OpCase[] = [
  of("SkipLayerNormalization", "all inputs, and the sum", (c) => {
    const x = c.float([2, 3, 4]);
    const inputs = [x, c.float([2, 3, 4]), c.float([4], positive), c.float([4]), c.float([4])];
    const outputs = c.emitMany("com.microsoft.SkipLayerNormalization", inputs, 4);
    return [outputs[0], outputs[3]];
  }),
  of("SkipLayerNormalization", "a skip for all batch elements", (c) =>
    c.emit("com.microsoft.SkipLayerNormalization", [c.float([2, 3, 4]), c.float([3, 4]), c.float([4], positive)]),
  ),
  of("SkipSimplifiedLayerNormalization", "with a bias", (c) =>
    c.emit("com.microsoft.SkipSimplifiedLayerNormalization", [
      c.float([2, 3, 4]),
      c.float([2, 3, 4]),
      c.float([4], positive),
      c.float([4]),
    ]),
  ),
  of("EmbedLayerNormalization", "words, positions and segments", (c) => {
    const ids = c.int32([0, 3, 2, 1, 1, 4], [2, 3]);
    const segments = c.int32([0, 0, 1, 0, 1, 1], [2, 3]);
    const tables = [c.float([5, 4]), c.float([3, 4]), c.float([2, 4])];
    const inputs = [ids, segments, ...tables, c.float([4], positive), c.float([4])];
    return c.emitMany("com.microsoft.EmbedLayerNormalization", inputs, 2)[0];
  }),
  of("BiasGelu", "a bias for the last axis", (c) =>
    c.emit("com.microsoft.BiasGelu", [c.float([2, 3, 4]), c.float([4])]),
  ),
  of("FastGelu", "with a bias", (c) => c.emit("com.microsoft.FastGelu", [c.float([2, 3, 4]), c.float([4])])),
  of("FastGelu", "alone", (c) => c.emit("com.microsoft.FastGelu", [c.float([2, 3, 4])])),
  of("Gelu", "three axes", (c) => c.emit("com.microsoft.Gelu", [c.float([2, 3, 4])])),
  of("QuickGelu", "three axes", (c) => c.emit("com.microsoft.QuickGelu", [c.float([2, 3, 4])])),
  product("B transposed", [2, 3, 4], [5, 4], ["transB"]),
  product("A transposed, batches", [2, 4, 3], [2, 4, 5], ["transA"]),
  product("batch axes of both behind the rows", [3, 2, 4], [4, 2, 5], ["transBatchA", "transBatchB"]),
  product("batch axes of A behind the columns", [4, 2, 3], [2, 4, 5], ["transBatchA", "transA"]),
  ...[0, 1].map((transB) =>
    of("FusedGemm", `transB ${transB}, Relu`, (c) =>
      c.emit("com.microsoft.FusedGemm", [c.float([3, 4]), c.float(transB ? [5, 4] : [4, 5]), c.float([5])], {
        transB: attr.int(transB),
        activation: attr.string("Relu"),
      }),
    ),
  ),
  of("FusedConv", "groups, Tanh and a residual", (c) =>
    c.emit(
      "com.microsoft.FusedConv",
      [c.float([2, 4, 5, 5]), c.float([6, 2, 3, 3]), c.float([6]), c.float([2, 6, 5, 5])],
      {
        group: attr.int(2),
        pads: attr.ints([1, 1, 1, 1]),
        activation: attr.string("Tanh"),
      },
    ),
  ),
  of("FusedConv", "another padding on each side, a step that leaves a rest", (c) =>
    c.emit(
      "com.microsoft.FusedConv",
      [c.float([1, 2, 6, 5]), c.float([3, 2, 3, 2]), c.float([3]), c.float([1, 3, 3, 3])],
      {
        ...{ pads: attr.ints([0, 1, 1, 2]), strides: attr.ints([2, 3]) },
        activation: attr.string("Tanh"),
      },
    ),
  ),
];
