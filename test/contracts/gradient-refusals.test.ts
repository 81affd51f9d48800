import { expect, it } from "vitest";
import { EspalierError } from "../../src/base/errors.js";
import { floatTensor, fromNumbers, sizeOf } from "../../src/base/tensor.js";
import { attr } from "../../src/graph/attribute.js";
import type { Value } from "../../src/graph/ir.js";
import { buildCase, type CaseBuilder } from "../../src/ops/op.cases.js";
import { emitGradients } from "../../src/passes/autodiff.js";
import { expandComposites } from "../../src/passes/expand-composites.js";
import { nodeEngine } from "../../src/run/node.js";
import { traceModel } from "../../src/run/trace.js";

// Uses of operators that onnxruntime runs and no rule knows are refused before anything is trained, with the reason.
const seed = 4;

const refused: Record<string, [build: (c: CaseBuilder) => Value, reason: RegExp]> = {
  "an operator that computes with what was rounded": [
    (c) => {
      const q = c.emit("QuantizeLinear", [c.float([2, 3]), c.scalar(0.1)]);
      const weights = c.constant(fromNumbers("uint8", [3, 2], [1, 2, 3, 4, 5, 6]));
      return c.emit("Cast", [c.emit("MatMulInteger", [q, weights])], { to: attr.int(1) });
    },
    /it computes with integers/,
  ],
  "DFT to more real numbers than its frequencies give": [
    (c) => c.emit("DFT", [c.float([1, 3, 2]), c.int64([8], [])], { inverse: attr.int(1), onesided: attr.int(1) }),
    /8 real numbers have 5 frequencies, not 3/,
  ],
  "STFT of complex numbers with a window": [
    (c) =>
      c.emit("STFT", [c.float([1, 8, 2]), c.int64([4], []), c.fixed([4], [1, 1, 1, 1])], { onesided: attr.int(0) }),
    /windows of complex signals/,
  ],
  "Resize that keeps the ratio of negative axes": [
    (c) =>
      c.emit("Resize", [c.float([1, 1, 4, 6]), null, null, c.int64([5, 12])], {
        axes: attr.ints([-2, -1]),
        keep_aspect_ratio_policy: attr.string("not_larger"),
      }),
    /takes negative axes for others/,
  ],
  "MatMulNBits of weights that are computed": [
    (c) => {
      const bytes = c.uint8(
        Array.from({ length: 32 }, (_, i) => 7 * i),
        [2, 2, 8],
      );
      const computed = c.emit("Where", [c.emit("Not", [c.bool([true])]), bytes, bytes]);
      return c.emit("com.microsoft.MatMulNBits", [c.float([3, 32]), computed, c.float([4])], {
        K: attr.int(32),
        N: attr.int(2),
        bits: attr.int(4),
        block_size: attr.int(16),
      });
    },
    /its weights are computed/,
  ],
};

it.each(Object.entries(refused))("%s", async (name, [build, reason]) => {
  const { model, builder, outputs } = buildCase({ op: "refused", name, build }, seed);
  const trace = await traceModel(model, builder.feeds, nodeEngine);
  const dims = trace.dims(outputs[0]);
  const grad = builder.constant(floatTensor(dims, new Float32Array(sizeOf(dims))));
  const differentiate = () => {
    expandComposites(model, trace);
    emitGradients(model.graph, new Map([[outputs[0], grad]]), builder.differentiable, trace);
  };
  expect(differentiate).toThrow(reason);
  expect(differentiate).toThrow(EspalierError);
});
