// Floats are sorted by their bits: as int32 these have the order of the floats, once the lower 31 bits of negative
// numbers are flipped. -0 counts as 0. NaN has no place in the order.
function keyOf(bits: number): number {
  return bits === -0x80000000 ? 0 : bits ^ ((bits >> 31) & 0x7fffffff);
}

function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}

// The key in three digits of 11, 11 and 10 bits, the highest first. Its sign makes the first one run from -1024.
const digits = [
  { shift: 21, size: 2048, lowest: -1024 },
  { shift: 10, size: 2048, lowest: 0 },
  { shift: 0, size: 1024, lowest: 0 },
];

/**
 * Marks the `count` lowest of all values with 1; among equal ones those that come first. Radix selection: three passes
 * to find the last value that goes and one to mark, whatever the values. They must not be NaN.
 */
export function markLowest(lists: readonly Float32Array[], count: number): Uint8Array[] {
  if (count === 0) return lists.map((values) => new Uint8Array(values.length));
  const { key: last, below } = findNth(lists, count - 1);
  let equal = count - below;
  return lists.map((values) => {
    const bits = bitsOf(values);
    const marks = new Uint8Array(values.length);
    for (let i = 0; i < bits.length; i++) {
      const key = keyOf(bits[i]);
      marks[i] = Number(key < last);
      if (key === last && equal > 0) {
        marks[i] = 1;
        equal--;
      }
    }
    return marks;
  });
}

/** The value that stands at `position` (from 0) when all are sorted. They must not be NaN. */
export function nthLowest(lists: readonly Float32Array[], position: number): number {
  return new Float32Array(Int32Array.of(keyOf(findNth(lists, position).key)).buffer)[0];
}

/** The key at `position` in sorted order, and how many keys are lower than it. */
function findNth(lists: readonly Float32Array[], position: number): { key: number; below: number } {
  let key = 0;
  let below = 0;
  for (const [level, { shift, lowest }] of digits.entries()) {
    const counts = countDigits(lists, level, key);
    let digit = 0;
    while (below + counts[digit] <= position) below += counts[digit++];
    key |= (digit + lowest) << shift;
  }
  return { key, below };
}

/** How often each digit of a level occurs among the keys that share the digits above it with `prefix`. */
function countDigits(lists: readonly Float32Array[], level: number, prefix: number): Uint32Array {
  const { shift, size } = digits[level];
  const counts = new Uint32Array(size);
  const above = level === 0 ? 0 : digits[level - 1].shift;
  for (const values of lists) {
    const bits = bitsOf(values);
    if (level === 0) {
      for (let i = 0; i < bits.length; i++) counts[(keyOf(bits[i]) >> shift) + 1024]++;
    } else {
      for (let i = 0; i < bits.length; i++) {
        const key = keyOf(bits[i]);
        if (key >> above === prefix >> above) counts[(key >> shift) & (size - 1)]++;
      }
    }
  }
  return counts;
}

export interface Sorted {
  /** From the lowest to the highest. */
  values: Float32Array;
  /** Where each came from; equal ones in their order. */
  order: Uint32Array;
}

/**
 * Radix sort by four bytes, the lowest first. Keys and origins move together, so that only the writes jump, among 256
 * places. Values must not be NaN; -0 becomes 0.
 */
export function sortAscending(values: Float32Array): Sorted {
  const bits = bitsOf(values);
  const { length } = values;
  let keys = new Int32Array(length);
  let order = new Uint32Array(length);
  let nextKeys = new Int32Array(length);
  let nextOrder = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    // With the sign flipped the bytes have the order of the signed keys.
    keys[i] = keyOf(bits[i]) ^ -0x80000000;
    order[i] = i;
  }
  for (let shift = 0; shift < 32; shift += 8) {
    const places = new Uint32Array(256);
    for (let i = 0; i < length; i++) places[(keys[i] >>> shift) & 255]++;
    let start = 0;
    for (let digit = 0; digit < 256; digit++) {
      const count = places[digit];
      places[digit] = start;
      start += count;
    }
    for (let i = 0; i < length; i++) {
      const place = places[(keys[i] >>> shift) & 255]++;
      nextKeys[place] = keys[i];
      nextOrder[place] = order[i];
    }
    [keys, nextKeys] = [nextKeys, keys];
    [order, nextOrder] = [nextOrder, order];
  }
  for (let i = 0; i < length; i++) keys[i] = keyOf(keys[i] ^ -0x80000000);
  return { values: new Float32Array(keys.buffer), order };
}
