import { EspalierError } from "../../base/errors.js";
import { floatTensor, intTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import type { Builder } from "../../graph/builder.js";
import type { Value } from "../../graph/ir.js";
import type { Loss } from "./loss.js";
import { scaledSum } from "./terms.js";

/** Log of a probability of 0, far enough from the float32 limit that sums of some stay finite. */
const never = -1e30;

/**
 * Connectionist temporal classification (Graves et al., 2006) for scores [N, T, C] of which nobody knows which of the T
 * steps shows which label: -log of the summed probability of all ways to say the labels, with repeats and blanks between
 * them, divided by the number of labels; the mean over the examples, as PyTorch's CTCLoss has it. Labels are class numbers
 * [N, L]; shorter sequences are filled up with `blank` (default 0), which is no label. An example whose labels do not fit
 * into T steps counts nothing.
 */
export function ctc({ blank = 0 }: { blank?: number } = {}): Loss {
  const name = "ctc";
  return {
    name,
    targets: ["class"],
    emit(context) {
      const { builder: b, logits } = context;
      const labels = context.target("class");
      const [dims, given] = [context.dims(logits), context.dims(labels)];
      const [batch, steps, classes] = dims;
      const length = given[1];
      if (dims.length !== 3 || given.length !== 2 || given[0] !== batch || length === 0) {
        throw new EspalierError(
          "bad-data",
          `expected scores [N, T, C] for labels [N, L], got [${dims}] for [${given}]`,
          { who: name },
        );
      }
      if (blank < 0 || blank >= classes) {
        throw new EspalierError("bad-usage", `the blank ${blank} is none of ${classes} classes`, { who: name });
      }
      const cast = (value: Value, to: number) => b.emit("Cast", [value], { to: attr.int(to) });
      const same = (a: Value, c: Value) => b.emit("Equal", [a, c]);
      const not = (value: Value) => b.emit("Not", [value]);
      const filled = (width: number, fill: number) =>
        b.constant(intTensor(Array<number>(batch * width).fill(fill), [batch, width]));
      const impossible = (width: number) =>
        b.constant(floatTensor([batch, width], Array<number>(batch * width).fill(never)));
      // States: blank, label 1, blank, label 2, .. blank: [N, S] with S = 2 L + 1.
      const states = 2 * length + 1;
      const column = b.emit("Unsqueeze", [labels, b.ints([2])]);
      const blanks = b.emit("Unsqueeze", [filled(length, blank), b.ints([2])]);
      const pairs = b.emit("Concat", [blanks, column], { axis: attr.int(2) });
      const flat = b.emit("Reshape", [pairs, b.ints([batch, 2 * length])]);
      const said = b.emit("Concat", [flat, filled(1, blank)], { axis: attr.int(1) });
      /** Element s is that of s - n, where n is the width of `before`, which stands in front. */
      const shifted = (value: Value, before: Value, n: number) => {
        const rest = b.emit("Slice", [value, b.ints([0]), b.ints([states - n]), b.ints([1])]);
        return b.emit("Concat", [before, rest], { axis: attr.int(1) });
      };
      const logs = b.emit("LogSoftmax", [logits], { axis: attr.int(2) });
      const everyStep = b.emit("Expand", [b.emit("Unsqueeze", [said, b.ints([1])]), b.ints([batch, steps, states])]);
      // [N, T, S]: the log-probability of what each state says at each step.
      const saying = b.emit("GatherElements", [logs, everyStep], { axis: attr.int(2) });

      // A label may follow the one before without a blank between them, unless they are the same. A blank never leaps: two
      // states before it stands a blank too.
      const bar = b.emit("Mul", [cast(same(said, shifted(said, filled(2, blank), 2)), 1), b.scalar(never)]);
      const [never1, never2] = [impossible(1), impossible(2)];
      const at = (step: number) => b.emit("Gather", [saying, b.constant(intTensor([step], []))], { axis: attr.int(1) });
      const start = Array.from({ length: batch * states }, (_, i) => (i % states < 2 ? 0 : never));
      let reached = b.emit("Add", [at(0), b.constant(floatTensor([batch, states], start))]);
      for (let step = 1; step < steps; step++) {
        const leap = b.emit("Add", [shifted(reached, never2, 2), bar]);
        reached = b.emit("Add", [logSum(b, [reached, shifted(reached, never1, 1), leap]), at(step)]);
      }

      // It ends in the last label or in the blank after it: states 2 l - 1 and 2 l of a sequence of l labels.
      const isLabel = cast(not(same(labels, b.ints([blank]))), 7);
      const count = b.emit("ReduceSum", [isLabel, b.ints([1])], { keepdims: attr.int(1) });
      const last = b.emit("Mul", [count, b.ints([2])]);
      const before = b.emit("Max", [b.emit("Sub", [last, b.ints([1])]), b.ints([0])]);
      const [atLast, atBefore] = [last, before].map((state) =>
        b.emit("GatherElements", [reached, state], { axis: attr.int(1) }),
      );
      // Without labels there is no state before the last.
      const none = b.emit("Mul", [cast(same(count, b.ints([0])), 1), b.scalar(never)]);
      const likelihood = logSum(b, [atLast, b.emit("Add", [atBefore, none])]);
      const perLabel = b.emit("Div", [likelihood, b.emit("Max", [cast(count, 1), b.scalar(1)])]);
      const fits = b.emit("Greater", [likelihood, b.scalar(never / 2)]);
      return scaledSum(b, b.emit("Where", [fits, perLabel, b.scalar(0)]), -1 / batch);
    },
  };
}

/** log of the sum of the exponentials, element by element. */
function logSum(b: Builder, values: readonly Value[]): Value {
  const stacked = values.map((value) => b.emit("Unsqueeze", [value, b.ints([0])]));
  return b.emit("ReduceLogSumExp", [b.emit("Concat", stacked, { axis: attr.int(0) }), b.ints([0])], {
    keepdims: attr.int(0),
  });
}
