import { EspalierError } from "../base/errors.js";
import type { RawSet, RawSplits } from "./array-dataset.js";
import { decompressedLimit } from "./bytes.js";
import { listNames } from "./labels.js";
import { parseNpy } from "./npy.js";
import type { LoadOptions } from "./options.js";
import { chooseParts, type PartName, partNamed } from "./parts.js";
import { listZip, readZipEntry, type ZipEntry } from "./zip.js";

const inputKeys = ["x", "images", "image", "data", "inputs", "input", "features"];
const labelKeys = ["y", "labels", "label", "targets", "target"];

/** The arrays of one part, by their key without the part: `x_train` is "x" of train. */
type Part = Map<string, ZipEntry>;

interface Roles {
  inputs: readonly (readonly [name: string, entry: ZipEntry])[];
  labels: ZipEntry | undefined;
}

/**
 * The arrays of an NPZ file. Inputs are found under the model's input names, else as x0, x1, ..., else under the first of
 * x, images, image, data, inputs, input, features, else as arr_0 (arr_0, arr_1, ... for a model of several inputs);
 * labels as y, labels, label, targets, target, or as the arr_ after the inputs. A key like `x_train` or `test_images`
 * puts its array into that part. Throws `bad-data` and lists the keys when there is no input among them.
 */
export async function loadNpz(bytes: Uint8Array, name: string, options: LoadOptions): Promise<RawSplits> {
  const entries = listZip(bytes, name).filter((entry) => entry.name.endsWith(".npy"));
  const chosen = chooseParts(groupByPart(entries));
  const train = chosen && assignRoles(chosen.train, options);
  const test = chosen?.test ? assignRoles(chosen.test, options) : null;
  if (!train || test === undefined) {
    throw new EspalierError(
      "bad-data",
      `no array is known as the input; the keys are ${listNames(entries.map(keyOf))}`,
      {
        who: name,
        hint: "Name the inputs x (or x0, x1, ..., or as the model does) and the labels y.",
      },
    );
  }
  assertUnpackable([train, test ?? train], bytes.length, name);
  return {
    train: await readPart(bytes, train, name, test ? `${name} (train)` : name),
    test: test && (await readPart(bytes, test, name, `${name} (test)`)),
    classNames: null,
  };
}

function keyOf(entry: ZipEntry): string {
  return entry.name.slice(0, -".npy".length);
}

function groupByPart(entries: readonly ZipEntry[]): Map<PartName | "whole", Part> {
  const parts = new Map<PartName | "whole", Part>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const words = key.split("_");
    const first = partNamed(words[0]);
    const last = partNamed(words[words.length - 1]);
    const part = words.length > 1 ? (first ?? last ?? "whole") : "whole";
    const array = part === "whole" ? key : (first ? words.slice(1) : words.slice(0, -1)).join("_");
    parts.set(part, (parts.get(part) ?? new Map<string, ZipEntry>()).set(array, entry));
  }
  return parts;
}

function assignRoles(part: Part, { inputs: specs, labels: choice }: LoadOptions): Roles | undefined {
  const pick = (names: readonly string[]) => {
    const found = names.map((name) => [name, part.get(name)] as const);
    return found.every((pair): pair is readonly [string, ZipEntry] => pair[1] !== undefined) ? found : undefined;
  };
  const single = inputKeys.map((key) => findKey(part, key)).find((key) => key !== undefined);
  const positional = Array.from({ length: specs?.length ?? 1 }, (_, i) => `arr_${i}`);
  const candidates = [specs?.map((spec) => spec.name), numberedKeys(part), single && [single], positional];
  const inputs = candidates.map((keys) => keys && pick(keys)).find((found) => found && found.length > 0);
  if (!inputs) return undefined;
  const labelKey = [...labelKeys, `arr_${positional.length}`]
    .map((key) => findKey(part, key))
    .find((key) => key !== undefined && !inputs.some(([name]) => name === key));
  return { inputs, labels: choice === "none" || labelKey === undefined ? undefined : part.get(labelKey) };
}

/** The key as the file writes it: X and Labels are x and labels. */
function findKey(part: Part, key: string): string | undefined {
  return part.has(key) ? key : [...part.keys()].find((candidate) => candidate.toLowerCase() === key);
}

/** x0, x1, ... as far as they go. */
function numberedKeys(part: Part): string[] {
  const keys: string[] = [];
  while (part.has(`x${keys.length}`)) keys.push(`x${keys.length}`);
  return keys;
}

function assertUnpackable(parts: readonly Roles[], archiveLength: number, who: string): void {
  const used = new Set(
    parts.flatMap(({ inputs, labels }) => [...inputs.map(([, entry]) => entry), ...(labels ? [labels] : [])]),
  );
  const total = [...used].reduce((sum, entry) => sum + entry.size, 0);
  const limit = decompressedLimit(archiveLength);
  if (total <= limit) return;
  throw new EspalierError(
    "bad-data",
    `${archiveLength} bytes of zip claim to unpack to ${total} bytes, over ${limit}`,
    {
      who,
      hint: "If you trust the file, save it with numpy.savez, which does not compress.",
    },
  );
}

async function readPart(bytes: Uint8Array, roles: Roles, file: string, name: string): Promise<RawSet> {
  const read = async (entry: ZipEntry) => {
    const who = `${file}, array '${keyOf(entry)}'`;
    return parseNpy(await readZipEntry(bytes, entry, file), who);
  };
  const inputs = [];
  for (const [key, entry] of roles.inputs) inputs.push({ name: key, tensor: await read(entry) });
  return { name, inputs, labels: roles.labels ? await read(roles.labels) : null };
}
