import { readdirSync, statSync } from "node:fs";
import { basename, extname, join } from "node:path";
import { EspalierError, messageOf } from "../base/errors.js";
import { listNames } from "./labels.js";

/** The image files of a folder, in an order that depends on their names only. */
export interface ImageFiles {
  readonly paths: readonly string[];
  /** The class of each path, an index into `classNames`; null for a flat folder. */
  readonly classes: readonly number[] | null;
  readonly classNames: readonly string[] | null;
}

const extensions = new Set([".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".gif", ".avif", ".tif", ".tiff"]);

/**
 * Lists `folder/class/.../image.png`, or the images that lie in `folder` itself, which then have no classes. Classes are
 * numbered in the order of their names' characters, as torchvision's ImageFolder does ("10" comes before "2").
 * @param known the classes of another part of the same dataset, which this part must not leave
 * Throws `bad-data` for a folder without images, a class without images, and a mixture of both kinds.
 */
export function listImages(folder: string, known: readonly string[] | null): ImageFiles {
  const { folders, images } = readFolder(folder, true);
  if (images.length > 0) {
    if (folders.some((name) => listDeep(join(folder, name)).length > 0)) {
      throw new EspalierError("bad-data", "there are images both in the folder and in its subfolders", {
        who: folder,
        hint: "Put every image into a subfolder named after its class, or all into the folder itself.",
      });
    }
    return { paths: images.map((name) => join(folder, name)), classes: null, classNames: null };
  }
  if (folders.length === 0) {
    throw new EspalierError("bad-data", "there are no images here", {
      who: folder,
      hint: `Known are ${[...extensions].join(", ")}, in subfolders named after their classes or without any.`,
    });
  }
  const classNames = known ?? folders;
  const paths: string[] = [];
  const classes: number[] = [];
  for (const name of folders) {
    const files = listDeep(join(folder, name));
    if (files.length === 0) {
      throw new EspalierError("bad-data", `the class folder '${name}' holds no images`, {
        who: folder,
        hint: "Remove it, or put its images there.",
      });
    }
    const index = classNames.indexOf(name);
    if (index < 0) {
      throw new EspalierError("bad-data", `'${name}' is none of the classes of the training part`, {
        who: folder,
        hint: `Known are ${listNames(classNames)}.`,
      });
    }
    for (const file of files) {
      paths.push(file);
      classes.push(index);
    }
  }
  return { paths, classes, classNames };
}

function listDeep(folder: string): string[] {
  const { folders, images } = readFolder(folder, false);
  const here = images.map((name) => join(folder, name));
  return [...here, ...folders.flatMap((name) => listDeep(join(folder, name)))];
}

/** Sorted names; hidden ones are left out. Links to folders are followed on request only: they may form circles. */
function readFolder(folder: string, followLinks: boolean): { folders: string[]; images: string[] } {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !/^\.|^__MACOSX$/.test(name));
    const folders = entries.filter(
      (entry) =>
        entry.isDirectory() ||
        (followLinks && entry.isSymbolicLink() && statSync(join(folder, entry.name)).isDirectory()),
    );
    const images = entries.filter((entry) => !entry.isDirectory() && extensions.has(extname(entry.name).toLowerCase()));
    return { folders: folders.map(nameOf).sort(), images: images.map(nameOf).sort() };
  } catch (error) {
    throw new EspalierError("io", `cannot list ${basename(folder)}: ${messageOf(error)}`, {
      who: folder,
      cause: error,
    });
  }
}

function nameOf({ name }: { name: string }): string {
  return name;
}
