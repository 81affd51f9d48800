import { floatTensor, toNumbers } from "../../base/tensor.js";
import { attr } from "../../graph/attribute.js";
import { constantOf } from "../../graph/constant.js";
import { setAttribute, setInput, truncateInputs } from "../../graph/edit.js";
import type { Attributes, Node, Value } from "../../graph/ir.js";
import type { Upgrade, UpgradeRule } from "./rule.js";

// Operators that read between the points of a grid: Resize and its forerunner Upsample, RoiAlign, GridSample.

/** Output x reads input x / scale: the only way before opset 11. */
const asymmetric = (mode: string, rounding?: "floor" | "ceil"): Attributes => ({
  mode: attr.string(mode),
  coordinate_transformation_mode: attr.string("asymmetric"),
  ...(rounding && { nearest_mode: attr.string(rounding) }),
});

/** Upsample only enlarges (scale >= 1), nearest rounds down. Opset 9 made the scales an input. */
function upsample(node: Node, u: Upgrade): void {
  const scales = node.attribute("scales", "floats");
  const vector = scales ? u.builder.constant(floatTensor([scales.length], scales)) : u.input(node, 1);
  const mode = node.string("mode", "nearest");
  u.become(
    node,
    "Resize",
    [u.input(node, 0), null, vector],
    asymmetric(mode, mode === "nearest" ? "floor" : undefined),
  );
}

/**
 * Resize of opset 10: nearest rounds down along axes that grow and up along axes that shrink. [0 1 2 3] at scale 0.6
 * keeps 0 and 2 (1 / 0.6 = 1.67). Where both may happen two nodes do it one after the other; axes do not interact.
 */
function resize10(node: Node, u: Upgrade): void {
  const [x, scales] = [u.input(node, 0), u.input(node, 1)];
  const mode = node.string("mode", "nearest");
  const resize = (by: Value, rounding?: "floor" | "ceil") =>
    u.become(node, "Resize", [x, null, by], asymmetric(mode, rounding));
  const known = constantOf(scales);
  const factors = known && toNumbers(known);
  if (mode !== "nearest") resize(scales);
  else if (factors?.every((factor) => factor >= 1)) resize(scales, "floor");
  else if (factors?.every((factor) => factor <= 1)) resize(scales, "ceil");
  else {
    const one = u.builder.scalar(1);
    const shrink = u.builder.emit("Min", [scales, one]);
    resize(u.builder.emit("Max", [scales, one]), "floor");
    u.follow(node, "Resize", (grown) => [grown, null, shrink], asymmetric(mode, "ceil"));
  }
}

/**
 * Until opset 13 inputs that do not count had to be there, as empty tensors, and there was one coordinate mode more:
 * tf_half_pixel_for_nn, x' = (x + 0.5) / scale where half_pixel has h = x' - 0.5. Rounding x' down is rounding h to
 * nearest, halves up; rounding x' to nearest, halves down, is rounding h up.
 */
function resize11(node: Node, u: Upgrade): void {
  const mode = node.string("coordinate_transformation_mode", "half_pixel");
  if (mode === "tf_half_pixel_for_nn") {
    const before = node.string("nearest_mode", "round_prefer_floor");
    const after = { floor: "round_prefer_ceil", round_prefer_floor: "ceil" }[before];
    if (!after || node.string("mode", "nearest") !== "nearest") {
      throw u.refuse(node, `tf_half_pixel_for_nn with ${node.string("mode", "nearest")}, ${before}`);
    }
    setAttribute(node, "coordinate_transformation_mode", attr.string("half_pixel"));
    setAttribute(node, "nearest_mode", attr.string(after));
  }
  if (mode !== "tf_crop_and_resize") setInput(node, 1, null);
  const sizes = node.inputs[3];
  if (sizes && constantOf(sizes)?.size !== 0) setInput(node, 2, null);
  else truncateInputs(node, 3);
}

/** Boxes were not shifted by half a pixel until opset 16 made that the default. */
function roiAlign(node: Node): void {
  setAttribute(node, "coordinate_transformation_mode", attr.string("output_half_pixel"));
}

/** Opset 20 took the modes' names from Resize. */
function gridSample(node: Node): void {
  const mode = node.string("mode", "bilinear");
  const names: Record<string, string> = { bilinear: "linear", bicubic: "cubic" };
  setAttribute(node, "mode", attr.string(names[mode] ?? mode));
}

export const samplingRules: readonly UpgradeRule[] = [
  { type: "Upsample", since: 10, rewrite: upsample },
  { type: "Resize", since: 21, rewrite: (node, u) => (u.opset < 11 ? resize10 : resize11)(node, u) },
  { type: "RoiAlign", since: 16, rewrite: roiAlign },
  { type: "GridSample", since: 20, rewrite: gridSample },
];
