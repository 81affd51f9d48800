import { attr } from "../../graph/attribute.js";
import { type Network, tokenCount } from "./network.js";

const width = 128;

/** Reads a list of token ids from the first to the last: embedding, LSTM of 128 units, its last state, linear. */
export const lstmClassifier: Network = {
  name: "lstm-classifier",
  input: "tokens",
  emit(layers, input, dims, classes, vocabulary) {
    tokenCount("lstm-classifier", dims);
    const embedded = layers.embedding("embedding", input, vocabulary, width);
    const steps = layers.builder.emit("Transpose", [embedded], { perm: attr.ints([1, 0, 2]) });
    return layers.linear("fc", layers.lstm("lstm", steps, width, width), width, classes);
  },
};
