import { attr } from "../../graph/attribute.js";
import type { Value } from "../../graph/ir.js";
import type { Layers } from "./layers.js";

/** Of a transformer: elements of a token, attention heads, hidden units of the feed-forward part, blocks. */
export interface TransformerSize {
  width: number;
  heads: number;
  hidden: number;
  blocks: number;
}

/** Width 128, four blocks of four heads, four times as wide in between. */
export const small: TransformerSize = { width: 128, heads: 4, hidden: 512, blocks: 4 };

/** Blocks that normalize what they read (pre-norm), and a normalization behind the last: [N, T, width] of the same dims. */
export function transformerBlocks(layers: Layers, input: Value, tokens: number, size: TransformerSize): Value {
  const add = (a: Value, b: Value) => layers.builder.emit("Add", [a, b]);
  let x = input;
  for (let i = 0; i < size.blocks; i++) {
    const name = `block${i}`;
    x = add(x, attention(layers, `${name}.attention`, layers.layerNorm(`${name}.norm1`, x, size.width), tokens, size));
    x = add(x, feedForward(layers, `${name}.mlp`, layers.layerNorm(`${name}.norm2`, x, size.width), size));
  }
  return layers.layerNorm("norm", x, size.width);
}

function feedForward(layers: Layers, name: string, x: Value, { width, hidden }: TransformerSize): Value {
  const wide = layers.builder.emit("Gelu", [layers.dense(`${name}.up`, x, width, hidden)]);
  return layers.dense(`${name}.down`, wide, hidden, width);
}

/** Every token looks at every token (Vaswani et al., 2017). */
function attention(layers: Layers, name: string, x: Value, tokens: number, { width, heads }: TransformerSize): Value {
  const { builder: b } = layers;
  const each = width / heads;
  const split = (part: string, perm: readonly number[]) => {
    const projected = layers.dense(`${name}.${part}`, x, width, width);
    const byHead = b.emit("Reshape", [projected, b.ints([0, tokens, heads, each])]);
    return b.emit("Transpose", [byHead], { perm: attr.ints(perm) });
  };
  const queries = split("query", [0, 2, 1, 3]);
  const keys = split("key", [0, 2, 3, 1]);
  const values = split("value", [0, 2, 1, 3]);
  const scores = b.emit("Mul", [b.emit("MatMul", [queries, keys]), b.scalar(1 / Math.sqrt(each))]);
  const seen = b.emit("MatMul", [b.emit("Softmax", [scores], { axis: attr.int(-1) }), values]);
  const together = b.emit("Transpose", [seen], { perm: attr.ints([0, 2, 1, 3]) });
  return layers.dense(`${name}.out`, b.emit("Reshape", [together, b.ints([0, tokens, width])]), width, width);
}
