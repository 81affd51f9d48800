import { EspalierError } from "../../base/errors.js";
import type { Random } from "../../base/random.js";
import { Builder } from "../../graph/builder.js";
import { addGraphOutput, renameValue, setType } from "../../graph/edit.js";
import { Model, type Value } from "../../graph/ir.js";
import { Layers } from "./layers.js";

/** A reference network that can be trained from nothing. */
export interface Network {
  name: string;
  /** "tokens": an example is a list of token ids, int64 [T]. Default: floats. */
  input?: "floats" | "tokens";
  /** "pixels": it tells the class of every pixel, [N, classes, H, W]. Default: that of the example, [N, classes]. */
  output?: "example" | "pixels";
  /**
   * `dims` of one example, usually channels, height, width, or T for tokens, whose ids are 0 .. vocabulary-1; returns
   * the logits.
   */
  emit(layers: Layers, input: Value, dims: readonly number[], classes: number, vocabulary: number): Value;
}

/**
 * The dims [channels, height, width] of one example, for networks of images with sides of at least `side`.
 * Throws `bad-data` for other dims.
 */
export function imageDims(name: string, dims: readonly number[], side: number): readonly [number, number, number] {
  const [channels, height, width] = dims;
  if (dims.length === 3 && channels >= 1 && height >= side && width >= side) return [channels, height, width];
  const size = side > 1 ? ` of at least ${side}x${side}` : "";
  throw new EspalierError("bad-data", `${name} takes images${size}, not examples of dims [${dims.join(", ")}]`, {
    hint: `Give images [channels, height, width]${size}; lenet-300-100 takes examples of any dims.`,
  });
}

/** The number of tokens of an example. Throws `bad-data` for dims that are no list of tokens. */
export function tokenCount(name: string, dims: readonly number[]): number {
  if (dims.length === 1 && dims[0] >= 1) return dims[0];
  throw new EspalierError("bad-data", `${name} takes lists of token ids, not examples of dims [${dims.join(", ")}]`, {
    hint: "Give whole numbers [examples, tokens], all lists padded to one length.",
  });
}

/**
 * A complete model of a network: input `input` [N, ...dims] with a free batch axis, output `logits` [N, classes], or
 * [N, classes, H, W] of one that tells pixels apart.
 * @param vocabulary how many token ids there are, for networks of tokens.
 * Throws `bad-data` where the network does not take such `dims`, `bad-usage` without a vocabulary where it needs one.
 */
export function buildNetwork(
  network: Network,
  dims: readonly number[],
  classes: number,
  random: Random,
  vocabulary?: number,
): Model {
  const ofTokens = network.input === "tokens";
  if (ofTokens && !(Number.isInteger(vocabulary) && Number(vocabulary) > 0)) {
    throw new EspalierError("bad-usage", `${network.name} reads token ids and has to know how many there are`, {
      hint: "Give the vocabulary: the largest id of all data and 1.",
    });
  }
  const model = new Model(10, 21, network.name);
  const builder = new Builder(model.graph);
  const input = builder.input("input", ofTokens ? "int64" : "float", ["batch", ...dims]);
  const scores = network.emit(new Layers(builder, random), input, dims, classes, vocabulary ?? 0);
  renameValue(scores, "logits");
  const positions = network.output === "pixels" ? dims.slice(1) : [];
  setType(scores, { dtype: "float", dims: ["batch", classes, ...positions] });
  addGraphOutput(model.graph, scores);
  return model;
}
