import { create, toBinary } from "@bufbuild/protobuf";
import { AttributeProto_AttributeType as Kind, ModelProtoSchema, TensorProto_DataLocation } from "onnx-buf";
import { expect, test } from "vitest";
import { EspalierError } from "../src/base/errors.js";
import { type Random, randomStream } from "../src/base/random.js";
import { byteLengthOf } from "../src/base/tensor.js";
import { constants } from "../src/graph/constant.js";
import { everything, info, type ModelInit, raw, tensorType } from "../src/onnx/everything.cases.js";
import { parseModel } from "../src/onnx/read.js";
import { modelBytes } from "../src/onnx/write.js";
import { findFaults } from "./support/find-faults.js";

// Whatever bytes the reader is given, it ends soon, with a model that can be written and read again, or with one of
// espalier's own errors.

const seed = Number(process.env.FUZZ_SEED ?? 20);
const rounds = Number(process.env.FUZZ_ROUNDS ?? 2500);

/** Data files are of 64 bytes here. */
const external = (location: string, offset: number, length: number, who: string) => {
  if (offset + length > 64) throw new EspalierError("bad-model", `${location} is too short`, { who });
  return new Uint8Array(length);
};

const loopBody = (depth: number): ModelInit["graph"] => ({
  name: `body ${depth}`,
  input: [info(`i${depth}`), info(`c${depth}`), info(`v${depth}`)],
  output: [info(`c${depth}`), info(`w${depth}`)],
  initializer: [{ name: `k${depth}`, dims: [2n], dataType: 1, rawData: raw([1, 2]) }],
  node:
    depth === 0
      ? [{ opType: "Add", input: ["v0", "k0"], output: ["w0"] }]
      : [
          {
            opType: "Loop",
            input: ["n", "", `v${depth}`],
            output: [`w${depth}`],
            attribute: [{ name: "body", type: Kind.GRAPH, g: loopBody(depth - 1) }],
          },
        ],
});

const models: Record<string, ModelInit> = {
  everything: everything(),
  empty: { graph: {} },
  chain: {
    irVersion: 8n,
    opsetImport: [{ version: 17n }],
    graph: {
      input: [info("x")],
      output: [info("y9")],
      node: Array.from({ length: 10 }, (_, i) => ({
        opType: "Relu",
        input: [i === 0 ? "x" : `y${i - 1}`],
        output: [`y${i}`],
      })).reverse(),
    },
  },
  nested: { graph: { input: [info("n"), info("v4")], output: [info("w4")], node: loopBody(4)?.node } },
  deep: { graph: { input: [info("n"), info("v30")], output: [info("w30")], node: loopBody(30)?.node } },
  old: {
    irVersion: 3n,
    graph: {
      input: [info("x"), info("b"), info("a")],
      output: [info("y")],
      initializer: ["a", "b"].map((name) => ({ name, dims: [2n], dataType: 1, floatData: [1, 2] })),
      node: [{ opType: "Sum", input: ["x", "a", "b"], output: ["y"] }],
    },
  },
  external: {
    graph: {
      initializer: [1, 7, 10, 22].map((dataType) => ({
        name: `t${dataType}`,
        dims: [2n, 3n],
        dataType,
        dataLocation: TensorProto_DataLocation.EXTERNAL,
        externalData: Object.entries({ location: "data", offset: "8" }).map(([key, value]) => ({ key, value })),
      })),
    },
  },
  typed: {
    graph: {
      initializer: [
        { name: "f", dims: [2n], dataType: 1, floatData: [1, 2] },
        { name: "d", dims: [2n], dataType: 11, doubleData: [1, 2] },
        { name: "h", dims: [2n], dataType: 10, int32Data: [1, 2] },
        { name: "i", dims: [2n], dataType: 7, int64Data: [1n, -2n] },
        { name: "u", dims: [2n], dataType: 13, uint64Data: [1n, 2n] },
        { name: "q", dims: [3n], dataType: 22, int32Data: [1, 2] },
        { name: "s", dims: [1n], dataType: 8, stringData: [raw([1])] },
      ],
    },
  },
  sparse: {
    graph: {
      sparseInitializer: [[3n], [2n, 2n], [2n, 2n]].map((dims, i) => ({
        dims,
        values: { name: `s${i}`, dims: [1n], dataType: 1, rawData: raw([5]) },
        indices: { dims: i === 2 ? [1n, 2n] : [1n], dataType: 7, int64Data: i === 2 ? [1n, 1n] : [2n] },
      })),
    },
  },
  wide: {
    graph: {
      input: Array.from({ length: 40 }, (_, i) => info(`x${i}`, tensorType(1, "N", null, -1n))),
      output: [info("y")],
      node: [{ opType: "Concat", input: Array.from({ length: 40 }, (_, i) => `x${i}`), output: ["y"] }],
    },
  },
};

const message = (init: ModelInit) => create(ModelProtoSchema, structuredClone(init));
const seeds = Object.entries(models).map(([name, init]) => [name, toBinary(ModelProtoSchema, message(init))] as const);

const pick = <T>(random: Random, items: readonly T[]): T => items[random.integer(items.length)];

/** A change of the bytes themselves. */
function mutateBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.integer(bytes.length + 1);
  const to = Math.min(bytes.length, at + random.integer(40));
  const changed = bytes.slice();
  switch (random.integer(7)) {
    case 0:
      for (let i = 0; i <= random.integer(8); i++) changed[random.integer(bytes.length)] ^= 1 << random.integer(8);
      return changed;
    case 1:
      return bytes.slice(0, at);
    case 2: {
      const other = pick(random, seeds)[1];
      return Buffer.concat([bytes.subarray(0, at), other.subarray(random.integer(other.length))]);
    }
    case 3:
      return Buffer.concat([bytes.subarray(0, to), bytes.subarray(at)]);
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(to)]);
    case 5:
      changed[random.integer(bytes.length)] = pick(random, [0, 1, 0x7f, 0x80, 0xff]);
      return changed;
    default: {
      const wild = pick(random, [
        [0xff, 0xff, 0xff, 0xff, 0x07],
        [0xff, 0xff, 0xff, 0xff, 0x0f],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80],
      ]);
      return Buffer.concat([bytes.subarray(0, at), Uint8Array.from(wild), bytes.subarray(to)]);
    }
  }
}

/** Places of the lengths in a message: each is a byte before as many bytes, found by following the wire format. */
function mutateLength(bytes: Uint8Array, random: Random): Uint8Array {
  const places: number[] = [];
  const follow = (from: number, end: number): void => {
    for (let at = from; at < end; ) {
      const wireType = bytes[at] & 7;
      if (bytes[at++] & 0x80) at++;
      if (wireType === 0) while (bytes[at++] & 0x80);
      else if (wireType === 1) at += 8;
      else if (wireType === 5) at += 4;
      else if (wireType === 2) {
        places.push(at);
        let length = 0;
        for (let shift = 0; ; shift += 7) {
          length |= (bytes[at] & 0x7f) << shift;
          if (!(bytes[at++] & 0x80)) break;
        }
        // Texts and numbers look like messages at times; what is found there is a place as good as any.
        if (length > 1 && at + length <= end) follow(at, at + length);
        at += length;
      } else return;
    }
  };
  follow(0, bytes.length);
  const place = pick(random, places);
  const changed = bytes.slice();
  changed[place] = pick(random, [0, 1, changed[place] - 1, changed[place] + 1, 0x7f, random.integer(256)]);
  if (random.integer(2)) return changed;
  const huge = pick(random, [
    [0xff, 0xff, 0xff, 0xff, 0x07],
    [0x80, 0x80, 0x80, 0x01],
    [0xff, 0xff, 0xff, 0xff, 0x0f],
  ]);
  return Buffer.concat([bytes.subarray(0, place), Uint8Array.from(huge), bytes.subarray(place + 1)]);
}

/** A change of what the message says: the result is a well-formed file with a wrong content. */
function mutateMessage(init: ModelInit, random: Random): Uint8Array {
  const proto = message(init);
  const holders: { holder: Record<string, unknown> | unknown[]; key: string | number; value: unknown }[] = [];
  const texts: string[] = ["", "new", "x".repeat(5000), "\u001b[2J\u0000"];
  const collect = (holder: unknown): void => {
    if (typeof holder !== "object" || holder === null || ArrayBuffer.isView(holder)) return;
    for (const [key, value] of Object.entries(holder)) {
      if (key === "$typeName" || key === "case") continue;
      if (typeof value === "string") texts.push(value);
      holders.push({ holder: holder as Record<string, unknown>, key, value });
      collect(value);
    }
  };
  collect(proto);
  for (let i = 0; i <= random.integer(3); i++) {
    const { holder, key, value } = pick(random, holders);
    let changed: unknown = value;
    if (typeof value === "string") changed = pick(random, texts);
    else if (typeof value === "bigint") {
      changed = pick(random, [0n, 1n, -1n, value + 1n, 2n ** 31n, 2n ** 39n, 2n ** 62n, 2n ** 63n - 1n]);
    } else if (typeof value === "number") changed = pick(random, [0, 1, 2, 5, 8, 16, 22, 26]);
    else if (value instanceof Uint8Array) changed = value.subarray(random.integer(value.length + 1));
    else if (Array.isArray(value) && value.length > 0) {
      const item = pick(random, value);
      const at = random.integer(value.length);
      changed = pick(random, [
        [],
        [...value, item],
        value.filter((_, index) => index !== at),
        [...value].reverse(),
        [...value.slice(0, at), item, ...value.slice(at + 1)],
      ]);
    }
    (holder as Record<string | number, unknown>)[key] = changed;
  }
  try {
    return toBinary(ModelProtoSchema, proto);
  } catch {
    // Such as -1 in uint64_data, which no file can say.
    return new Uint8Array(0);
  }
}

/** Reads, uses and writes; returns how far it came. */
function exercise(bytes: Uint8Array): "refused" | "tensor refused" | "read" {
  const model = parseModel(bytes, { who: "fuzz.onnx", external });
  expect(findFaults(model.graph)).toEqual([]);
  const sparseOrExternal = (error: unknown) => {
    if (!(error instanceof EspalierError)) throw error;
  };
  let refused = false;
  for (const { tensor } of constants(model.graph)) {
    if (tensor.byteLength > 2 ** 24) continue;
    try {
      expect(tensor.bytes.byteLength).toBe(byteLengthOf(tensor.dtype, tensor.dims));
      expect(tensor.array.byteLength).toBe(tensor.bytes.byteLength);
    } catch (error) {
      sparseOrExternal(error);
      refused = true;
    }
  }
  let written: Uint8Array;
  try {
    written = modelBytes(model);
  } catch (error) {
    // Only data that is not in the file can be found missing, or too much, so late.
    if (!(error instanceof EspalierError) || !/is too short$|must stay below 2 GiB$/.test(error.what)) throw error;
    return "tensor refused";
  }
  const again = parseModel(written, { who: "fuzz.onnx" });
  expect(Buffer.compare(modelBytes(again), written)).toBe(0);
  return refused ? "tensor refused" : "read";
}

const allowed = new Set(["bad-model", "unsupported", "io"]);

test(`${rounds} broken models, seed ${seed}: read and writable, or refused in a sentence, soon`, () => {
  const outcomes = { refused: 0, "tensor refused": 0, read: 0 };
  for (const [name, bytes] of seeds) expect(exercise(bytes), name).toBe("read");
  const rss = process.memoryUsage().rss;
  for (let round = 0; round < rounds; round++) {
    const random = randomStream(seed, "fuzz", round);
    const [name, original] = pick(random, seeds);
    const way = random.integer(3);
    let bytes: Uint8Array = original;
    if (way === 0)
      for (let i = 0; i <= random.integer(3); i++) bytes = bytes.length ? mutateBytes(bytes, random) : bytes;
    else if (way === 1) bytes = bytes.length > 2 ? mutateLength(bytes, random) : bytes;
    else bytes = mutateMessage(models[name], random);
    const started = performance.now();
    try {
      outcomes[exercise(bytes)]++;
    } catch (error) {
      const told = error instanceof EspalierError && allowed.has(error.code) && !(error.cause instanceof TypeError);
      if (!told) {
        throw new Error(`seed ${seed}, round ${round}, a ${name}: ${Buffer.from(bytes).toString("base64")}`, {
          cause: error,
        });
      }
      expect(error.message).toMatch(/^fuzz\.onnx: /);
      expect(error.message.length, error.message).toBeLessThan(1800);
      expect(error.message).toMatch(/^\P{Cc}*$/u);
      outcomes.refused++;
    }
    const took = performance.now() - started;
    if (took > 3000) throw new Error(`seed ${seed}, round ${round}, a ${name}: took ${took} ms`);
  }
  // The mutations reach deep: a good part of the files is read, a good part refused.
  expect(outcomes.read).toBeGreaterThan(rounds / 10);
  expect(outcomes.refused).toBeGreaterThan(rounds / 10);
  expect(outcomes["tensor refused"]).toBeGreaterThan(5);
  expect(process.memoryUsage().rss - rss).toBeLessThan(400e6);
});
