import { EspalierError } from "../base/errors.js";
import { floatTensor, sizeOf, type Tensor, toFloat32 } from "../base/tensor.js";
import type { Dataset } from "../data/dataset.js";
import type { TargetKind } from "./losses.js";
import type { Program } from "./program.js";

/**
 * The labels of a batch as the program takes them; none where its loss asks for none. Values get the dims of the output:
 * a column of numbers is [N], the output of a network with one number for each example [N, 1].
 * Throws `bad-data` when there are more or fewer values than the output has.
 */
export function labelTargets(
  { targets, outputDims }: Pick<Program, "targets" | "outputDims">,
  { labelKind, name }: Dataset,
  labels: Tensor | null,
): Partial<Record<TargetKind, Tensor>> {
  if (!labels || !labelKind || !targets.includes(labelKind)) return {};
  if (labelKind === "class") return { class: labels };
  if (labels.size !== sizeOf(outputDims)) {
    const mayBeClasses = outputDims.length === 2 && outputDims[1] > 1;
    throw new EspalierError("bad-data", `targets of dims [${labels.dims}] for an output of [${outputDims}]`, {
      who: name,
      hint: `Is this the model for these data?${
        mayBeClasses ? " If the values are class numbers, read them as such, with --labels class." : ""
      }`,
    });
  }
  return { value: floatTensor(outputDims, toFloat32(labels)) };
}
