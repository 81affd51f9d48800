import { attr } from "../graph/attribute.js";
import type { Attributes, Value } from "../graph/ir.js";
import { expansion } from "./define.js";
import type { NodeContext } from "./node-context.js";

// onnxruntime's fused operators as the standard operators that they were made of (its page "Contrib Operator Schemas").

/** Gelu(X + bias), the bias optional. */
export const geluExpansion = (approximate: "none" | "tanh") =>
  expansion((c) => [c.emit("Gelu", [plus(c, c.input(0), c.optional(1))], { approximate: attr.string(approximate) })]);

/** X sigmoid(alpha X). */
export const swishExpansion = (alpha: number) =>
  expansion((c) => {
    const x = c.input(0);
    return [c.mul(x, c.emit("Sigmoid", [c.scale(x, c.node.float("alpha", alpha))]))];
  });

/** alpha A B, their axes in the orders given. */
export const matMulExpansion = (orders: (c: NodeContext) => readonly (readonly number[])[]) =>
  expansion((c) => {
    const [a, b] = orders(c).map((order, input) => ordered(c, c.input(input), order));
    return [c.scale(c.emit("MatMul", [a, b]), c.node.float("alpha", 1))];
  });

/** activation(alpha A B + beta C). */
export const gemmExpansion = expansion((c) => {
  const own = ["transA", "transB", "alpha", "beta"];
  const product = c.emit("Gemm", [c.input(0), c.input(1), c.optional(2)], pick(c, own));
  const { attributes } = c.node;
  const numbers = ["alpha", "beta", "gamma"].flatMap((name) =>
    attributes.has(`activation_${name}`) ? [[name, c.node.float(`activation_${name}`, 0)] as const] : [],
  );
  return [activated(c, product, Object.fromEntries(numbers.map(([name, value]) => [name, attr.float(value)])))];
});

/** activation(Conv(X, W, B) + Z). */
export const convExpansion = expansion((c) => {
  const own = ["auto_pad", "dilations", "group", "kernel_shape", "pads", "strides"];
  const filtered = c.emit("Conv", [c.input(0), c.input(1), c.optional(2)], pick(c, own));
  const sum = plus(c, filtered, c.optional(3));
  const params = c.node.attribute("activation_params", "floats") ?? [];
  if (c.node.string("activation", "") === "Clip") return [c.emit("Clip", [sum, ...params.map((p) => c.scalar(p))])];
  const names = ["alpha", "beta"].slice(0, params.length);
  return [activated(c, sum, Object.fromEntries(names.map((name, i) => [name, attr.float(params[i])])))];
});

/** norm(X + skip + bias), and that sum as the fourth output. `centered`: a LayerNormalization, with a bias of its own. */
export const skipNormExpansion = (centered: boolean) =>
  expansion((c) => {
    const sum = plus(c, c.add(c.input(0), c.input(1)), c.optional(centered ? 4 : 3));
    const [y, mean, r] = normalized(c, sum, c.input(2), centered ? c.optional(3) : null, centered);
    return [y, mean, r, c.emit("Identity", [sum])];
  });

/** norm(word + position + segment). The second output, for each example how many positions its mask has. */
export const embedNormExpansion = expansion((c) => {
  const ids = c.input(0);
  const [batch, length] = c.dims(ids);
  const look = (table: Value, at: Value) => c.emit("Gather", [table, at]);
  const positions = c.optional(8) ?? c.list(Array.from({ length }, (_, i) => i));
  const [segments, segmentTable, mask] = [c.optional(1), c.optional(4), c.optional(7)];
  const placed = c.add(look(c.input(2), ids), look(c.input(3), positions));
  const sum = segments && segmentTable ? c.add(placed, look(segmentTable, segments)) : placed;
  const [y] = normalized(c, sum, c.input(5), c.input(6), true);
  const counted = mask ? c.emit("ReduceSum", [mask, c.list([1])], { keepdims: attr.int(0) }) : null;
  const zeros = () => c.cast(c.emit("ConstantOfShape", [c.list([batch])]), "int32");
  return [y, c.node.outputs[1] ? (counted ?? zeros()) : null, c.emit("Identity", [sum])];
});

function normalized(c: NodeContext, x: Value, scale: Value, bias: Value | null, centered: boolean): (Value | null)[] {
  const attributes = { axis: attr.int(-1), epsilon: attr.float(c.node.float("epsilon", 1e-12)) };
  if (centered) return c.emitMany("LayerNormalization", bias ? [x, scale, bias] : [x, scale], 3, attributes);
  return [c.emit("SimplifiedLayerNormalization", [x, scale], attributes), null, null];
}

export function plus(c: NodeContext, value: Value, more: Value | null): Value {
  return more ? c.add(value, more) : value;
}

export function ordered(c: NodeContext, value: Value, order: readonly number[]): Value {
  return order.every((axis, i) => axis === i) ? value : c.emit("Transpose", [value], { perm: attr.ints(order) });
}

/** The node's attribute `activation` names an operator; without one the value itself, as a new value. */
function activated(c: NodeContext, value: Value, attributes: Attributes): Value {
  const type = c.node.string("activation", "");
  return c.emit(type || "Identity", [value], type ? attributes : {});
}

function pick(c: NodeContext, names: readonly string[]): Attributes {
  const { attributes } = c.node;
  return Object.fromEntries(
    names.flatMap((name) => {
      const attribute = attributes.get(name);
      return attribute ? [[name, attribute]] : [];
    }),
  );
}
