import { expect, test } from "vitest";
import { decodeBfloat16, decodeFloat16, encodeBfloat16, encodeFloat16 } from "./float16.js";
import { randomStream } from "./random.js";

// The independent reference: a table of all values by the definition of the format, and nearest neighbours in it.

interface Format {
  exponentBits: number;
  mantissaBits: number;
  encode: (value: number) => number;
  decode: (pattern: number) => number;
}

const formats: [string, Format][] = [
  ["float16", { exponentBits: 5, mantissaBits: 10, encode: encodeFloat16, decode: decodeFloat16 }],
  ["bfloat16", { exponentBits: 8, mantissaBits: 7, encode: encodeBfloat16, decode: decodeBfloat16 }],
];

/** IEEE 754: (-1)^s 2^(e-bias) 1.m, with e = 0 for 0.m 2^(1-bias) and e = all ones for infinity and NaN. */
function numberOf(pattern: number, { exponentBits, mantissaBits }: Format): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const text = pattern.toString(2).padStart(16, "0");
  const sign = text[0] === "1" ? -1 : 1;
  const exponent = Number.parseInt(text.slice(1, 1 + exponentBits), 2);
  const fraction = Number.parseInt(text.slice(1 + exponentBits), 2) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The float32 after `value` in the direction of `towards` infinity. */
function nextFloat32(value: number, towards: 1 | -1): number {
  const bits = new Int32Array(1);
  const float = new Float32Array(bits.buffer);
  float[0] = value;
  bits[0] += towards;
  return float[0];
}

for (const [name, format] of formats) {
  const infinity = (2 ** format.exponentBits - 1) << format.mantissaBits;

  test(`${name}: all 65,536 patterns decode to what the format says, and encode to themselves`, () => {
    for (let pattern = 0; pattern < 65536; pattern++) {
      const value = format.decode(pattern);
      if (!Object.is(value, numberOf(pattern, format))) expect.fail(`pattern ${pattern} decodes to ${value}`);
      const back = format.encode(value);
      const isNaNPattern = (pattern & 0x7fff) > infinity;
      const right = isNaNPattern ? (back & 0x7fff) > infinity : back === pattern;
      if (!right) expect.fail(`pattern ${pattern} comes back as ${back}`);
    }
  });

  test(`${name}: between any two neighbours the tie goes to the even one, all else to the nearest`, () => {
    for (let low = 0; low < infinity; low++) {
      const high = low + 1;
      // The neighbour of the largest number is where the next one would be: from the tie on it is infinity.
      const above = high === infinity ? 2 * numberOf(low, format) - numberOf(low - 1, format) : numberOf(high, format);
      const tie = (numberOf(low, format) + above) / 2;
      const even = low % 2 === 0 ? low : high;
      const cases: [number, number][] = [
        [tie, even],
        [nextFloat32(tie, 1), high],
        [nextFloat32(tie, -1), low],
      ];
      for (const [value, wanted] of cases) {
        if (value > 3.4028234663852886e38) continue;
        for (const sign of [0, 0x8000]) {
          const got = format.encode(sign ? -value : value);
          if (got !== (wanted | sign))
            expect.fail(`${sign ? "-" : ""}${value} encodes to ${got}, not ${wanted | sign}`);
        }
      }
    }
  });

  test(`${name}: random float32 bit patterns go to the nearest value of the table`, () => {
    const seed = 11;
    const random = randomStream(seed, name);
    const bits = new Uint32Array(1);
    const float = new Float32Array(bits.buffer);
    for (let i = 0; i < 100_000; i++) {
      bits[0] = random.integer(2 ** 32);
      const value = float[0];
      const got = format.encode(value);
      if (Number.isNaN(value)) {
        if ((got & 0x7fff) <= infinity) expect.fail(`seed ${seed}: NaN encodes to ${got}`);
        continue;
      }
      const distance = (pattern: number) => Math.abs(numberOf(pattern, format) - value);
      if ((got & 0x7fff) === infinity) {
        const largest = numberOf(infinity - 1, format);
        const halfStep = (largest - numberOf(infinity - 2, format)) / 2;
        if (Math.abs(value) < largest + halfStep) expect.fail(`seed ${seed}: ${value} encodes to infinity`);
        continue;
      }
      for (const neighbour of [got - 1, got + 1]) {
        const outside = neighbour < (got & 0x8000) || (neighbour & 0x7fff) >= infinity;
        if (!outside && distance(neighbour) < distance(got)) expect.fail(`seed ${seed}: ${value} encodes to ${got}`);
      }
    }
  });

  test(`${name}: zeros and infinities keep their sign`, () => {
    expect(format.encode(0)).toBe(0);
    expect(format.encode(-0)).toBe(0x8000);
    expect(format.encode(Number.POSITIVE_INFINITY)).toBe(infinity);
    expect(format.encode(Number.NEGATIVE_INFINITY)).toBe(infinity | 0x8000);
    expect(format.encode(1e300)).toBe(infinity);
    expect(format.encode(1e-300)).toBe(0);
  });
}
