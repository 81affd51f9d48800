import { EspalierError } from "../../base/errors.js";
import { intTensor } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { imageDims, type Network } from "./network.js";
import { small, transformerBlocks } from "./transformer-block.js";

const patch = 4;

/**
 * A vision transformer (Dosovitskiy et al., 2021) for small images: patches of 4x4, a class token in front of them that
 * begins at 0, learned positions that begin within a standard deviation of 0.02, as torchvision has them.
 */
export const vit: Network = {
  name: "vit",
  emit(layers, input, dims, classes) {
    const { builder: b } = layers;
    const [channels, height, width] = imageDims("vit", dims, patch);
    if (height % patch !== 0 || width % patch !== 0) {
      throw new EspalierError(
        "bad-data",
        `vit takes images whose sides are multiples of ${patch}, not ${height}x${width}`,
        {
          hint: "Bring the images to such a size, or take another network.",
        },
      );
    }
    const patches = (height / patch) * (width / patch);
    const conv = layers.conv("patches", input, channels, small.width, patch, { stride: patch });
    const listed = b.emit("Reshape", [conv, b.ints([0, small.width, patches])]);
    const tokens = b.emit("Transpose", [listed], { perm: attr.ints([0, 2, 1]) });
    const token = layers.parameter("class_token", [1, 1, small.width], () => 0);
    const batch = b.emit("Shape", [input], { start: attr.int(0), end: attr.int(1) });
    const dimsOfToken = b.emit("Concat", [batch, b.ints([1, small.width])], { axis: attr.int(0) });
    const first = b.emit("Expand", [token, dimsOfToken]);
    const positions = layers.parameter("positions", [patches + 1, small.width], (random) => 0.02 * random.normal());
    const all = b.emit("Concat", [first, tokens], { axis: attr.int(1) });
    const read = transformerBlocks(layers, b.emit("Add", [all, positions]), patches + 1, small);
    const answer = b.emit("Gather", [read, b.constant(intTensor([0], []), "first")], { axis: attr.int(1) });
    return layers.linear("fc", answer, small.width, classes);
  },
};
