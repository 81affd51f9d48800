import { attr } from "../../graph/attribute.js";
import { type Network, tokenCount } from "./network.js";
import { small, transformerBlocks } from "./transformer-block.js";

/**
 * A transformer that tells lists of token ids apart: embeddings of tokens and of positions, both learned, pre-norm
 * blocks, the mean over all tokens, those that pad a list too.
 */
export const textTransformer: Network = {
  name: "text-transformer",
  input: "tokens",
  emit(layers, input, dims, classes, vocabulary) {
    const { builder: b } = layers;
    const tokens = tokenCount("text-transformer", dims);
    const embedded = layers.embedding("embedding", input, vocabulary, small.width);
    const positions = layers.parameter("positions", [tokens, small.width], (random) => random.normal());
    const read = transformerBlocks(layers, b.emit("Add", [embedded, positions]), tokens, small);
    const mean = b.emit("ReduceMean", [read, b.ints([1])], { keepdims: attr.int(0) });
    return layers.linear("fc", mean, small.width, classes);
  },
};
