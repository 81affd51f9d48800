import { expect } from "vitest";
import { Tensor } from "../../src/base/tensor.js";

// Tensors hold their elements in private fields, which toEqual does not look at.
expect.addEqualityTesters([
  (a: unknown, b: unknown) => {
    if (!(a instanceof Tensor && b instanceof Tensor)) return undefined;
    const same = a.dtype === b.dtype && `${a.dims}` === `${b.dims}`;
    return same && Buffer.compare(a.bytes, b.bytes) === 0;
  },
]);
