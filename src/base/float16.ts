const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/**
 * The float16 bit pattern nearest to `value` as float32 (IEEE 754 binary16, ties to even).
 * Example: 1 -> 0x3c00, 65504 (the largest) -> 0x7bff, 65520 -> 0x7c00 (infinity).
 */
export function encodeFloat16(value: number): number {
  floats[0] = value;
  const x = bits[0];
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 lines the 10 result bits up at the end of the float32 mantissa, rounding as IEEE does.
    bits[0] = magnitude;
    floats[0] += 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const odd = (magnitude >>> 13) & 1;
  return sign | ((magnitude - 0x38000000 + 0xfff + odd) >>> 13);
}

/** The number a float16 bit pattern stands for. */
export function decodeFloat16(pattern: number): number {
  const sign = pattern & 0x8000 ? -1 : 1;
  const exponent = (pattern >>> 10) & 0x1f;
  const mantissa = pattern & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** The bfloat16 bit pattern nearest to `value` as float32: the upper half of the float32 pattern, ties to even. */
export function encodeBfloat16(value: number): number {
  floats[0] = value;
  const x = bits[0];
  if ((x & 0x7fffffff) > 0x7f800000) return ((x >>> 16) | 0x40) & 0xffff;
  return ((x + 0x7fff + ((x >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number a bfloat16 bit pattern stands for. */
export function decodeBfloat16(pattern: number): number {
  bits[0] = pattern << 16;
  return floats[0];
}
