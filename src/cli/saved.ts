import { formatBytes, formatCount } from "../base/format.js";
import type { SavedModel } from "../pack/save.js";
import type { Sizes } from "../pack/sizes.js";
import { renderFacts } from "./table.js";

/**
 * What was written, how large it is where nothing else says so, and which runtimes were seen to run it.
 * @param more what else there is to say
 */
export function renderSaved(
  { path, checked, unchecked }: SavedModel,
  { sizes, more = [] }: { sizes?: Sizes; more?: readonly [string, string][] } = {},
): string {
  const facts: [string, string][] = [["written", path]];
  if (sizes) {
    facts.push(["parameters", `${formatCount(sizes.parameters)}, not zero ${formatCount(sizes.nonzeros)}`]);
    facts.push(["file", `${formatBytes(sizes.bytes)}, after brotli ${formatBytes(sizes.brotliBytes)}`]);
  }
  if (checked.length > 0) facts.push(["seen to run in", checked.join(", ")]);
  for (const { engine, reason } of unchecked) facts.push([`not run in ${engine}`, reason]);
  return renderFacts([...facts, ...more]);
}
