import fc from "fast-check";
import { expect, test } from "vitest";
import { copyStrided } from "./strided.js";

test("[H, W, C] read as [C, H, W]", () => {
  // Two pixels of three channels: r g b, R G B -> r R, g G, b B.
  const out = copyStrided(Uint8Array.from([1, 2, 3, 11, 12, 13]), 1, [3, 1, 2], [1, 6, 3]);
  expect([...out]).toEqual([1, 11, 2, 12, 3, 13]);
});

test("any order of axes, any element size, also unaligned, as the index formula says", () => {
  const cases = fc.record({
    order: fc.integer({ min: 1, max: 4 }).chain((rank) =>
      fc.shuffledSubarray(
        Array.from({ length: rank }, (_, axis) => axis),
        { minLength: rank, maxLength: rank },
      ),
    ),
    lengths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 4, maxLength: 4 }),
    elementBytes: fc.constantFrom(1, 2, 4, 8),
    shift: fc.integer({ min: 0, max: 3 }),
  });
  fc.assert(
    fc.property(cases, ({ order, lengths, elementBytes, shift }) => {
      const sourceDims = order.map((_, axis) => lengths[axis]);
      const sourceStrides = sourceDims.map((_, axis) => sourceDims.slice(axis + 1).reduce((a, b) => a * b, 1));
      const size = sourceDims.reduce((a, b) => a * b, 1);
      const buffer = Uint8Array.from({ length: size * elementBytes + shift }, (_, i) => (i * 37) & 255);
      const source = buffer.subarray(shift);
      const dims = order.map((axis) => sourceDims[axis]);
      const strides = order.map((axis) => sourceStrides[axis]);
      const out = copyStrided(source, elementBytes, dims, strides);
      for (let at = 0; at < size; at++) {
        let rest = at;
        let from = 0;
        for (let axis = dims.length - 1; axis >= 0; axis--) {
          from += (rest % dims[axis]) * strides[axis];
          rest = Math.floor(rest / dims[axis]);
        }
        const got = out.subarray(at * elementBytes, (at + 1) * elementBytes);
        expect([...got]).toEqual([...source.subarray(from * elementBytes, (from + 1) * elementBytes)]);
      }
    }),
  );
});
