import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { EspalierError } from "./errors.js";
import { assertWritable, makeFolder, writeFileAtomic, writeFilesAtomic } from "./files.js";
import { isTemporary, temporaryPath } from "./temporary.js";

const folder = temporaryFolder();

const bytes = (text: string) => new TextEncoder().encode(text);

test("chunks of all sizes arrive in order", () => {
  const chunks: Uint8Array[] = [];
  for (let i = 0; i < 5000; i++) chunks.push(Uint8Array.of(i, i >> 8).subarray(0, i % 3));
  chunks.splice(2500, 0, new Uint8Array(3_000_001).fill(7), new Uint8Array(0), new Uint8Array(2 ** 20).fill(9));
  for (let i = 0; i < 40; i++) chunks.push(new Uint8Array(100_000).fill(i));
  const path = join(folder(), "f");
  writeFileAtomic(path, chunks);
  expect(Buffer.compare(readFileSync(path), Buffer.concat(chunks))).toBe(0);
});

test("nothing at all is a file too", () => {
  writeFileAtomic(join(folder(), "f"), []);
  expect(readFileSync(join(folder(), "f"))).toHaveLength(0);
});

test("a failure half-way leaves the old files and no temporary ones", () => {
  const [first, second] = [join(folder(), "a"), join(folder(), "b")];
  writeFileSync(first, "old");
  function* failing(error: Error) {
    yield bytes("new");
    throw error;
  }
  const write = (error: Error) =>
    writeFilesAtomic(
      [
        { path: first, chunks: [bytes("new")] },
        { path: second, chunks: failing(error) },
      ],
      { force: true },
    );
  expect(() => write(new Error("no space"))).toThrow(`${second}: cannot write: no space.`);
  const own = new EspalierError("bad-model", "the weights are gone");
  expect(() => write(own)).toThrow(own);
  expect(readFileSync(first, "utf8")).toBe("old");
  expect(readdirSync(folder())).toEqual(["a"]);
});

test("what a killed process has left beside the file goes with the next one", () => {
  const { pid: gone } = spawnSync(process.execPath, ["--version"]);
  writeFileSync(temporaryPath(folder()).replace(`-${process.pid}-`, `-${gone}-`), "half a file");
  writeFileAtomic(join(folder(), "f"), [bytes("whole")]);
  expect(readdirSync(folder())).toEqual(["f"]);
});

test("files that belong together take their names in the given order, after all are complete", () => {
  const [data, model] = [join(folder(), "data"), join(folder(), "model")];
  const seen: string[][] = [];
  function* watching() {
    seen.push(readdirSync(folder()).map((name) => (isTemporary(name) ? "temporary" : name)));
    yield bytes("m");
  }
  writeFilesAtomic([
    { path: data, chunks: [bytes("d")] },
    { path: model, chunks: watching() },
  ]);
  expect(seen).toEqual([["temporary", "temporary"]]);
  expect(readdirSync(folder())).toEqual(["data", "model"]);
});

test("what cannot be written is refused before a byte is asked for", () => {
  const path = join(folder(), "f");
  writeFileSync(path, "old");
  const never: Iterable<Uint8Array> = {
    [Symbol.iterator]: () => {
      throw new Error("asked");
    },
  };
  expect(() => writeFileAtomic(path, never)).toThrow("the file exists already. Give --force to replace it.");
  expect(() => writeFileAtomic(join(folder(), "none/f"), never)).toThrow("none does not exist. Create it first.");
  expect(() => writeFileAtomic(join(path, "f"), never)).toThrow("does not exist");
  mkdirSync(join(folder(), "dir"));
  expect(() => assertWritable(join(folder(), "dir"), { force: true })).toThrow("it is a folder, not a file");
  expect(() => assertWritable(path, { force: true })).not.toThrow();
  expect(() => assertWritable("", { force: true })).toThrow("the name of the file to write is empty");
  const [pipe, nowhere] = [join(folder(), "pipe"), join(folder(), "nowhere")];
  expect(spawnSync("mkfifo", [pipe]).status).toBe(0);
  for (const device of [pipe, "/dev/null"]) {
    expect(() => assertWritable(device, { force: true })).toThrow("it is a device or a pipe, not a file. Name a file.");
  }
  symlinkSync(join(folder(), "gone"), nowhere);
  expect(() => assertWritable(nowhere)).toThrow("the file exists already");
});

test("a link is replaced, not followed", () => {
  const [target, link] = [join(folder(), "target"), join(folder(), "link")];
  writeFileSync(target, "precious");
  symlinkSync(target, link);
  writeFileAtomic(link, [bytes("new")], { force: true });
  expect(readFileSync(target, "utf8")).toBe("precious");
  expect(readFileSync(link, "utf8")).toBe("new");
});

test("a name as long as the file system allows can be written", () => {
  for (const name of ["n".repeat(255), "木".repeat(85)]) {
    writeFileAtomic(join(folder(), name), [bytes("x")]);
    expect(readFileSync(join(folder(), name), "utf8")).toBe("x");
  }
});

test("folders are made on the way, and it is said which one cannot be", () => {
  const deep = join(folder(), "a", "b", "c");
  makeFolder(deep);
  makeFolder(deep);
  expect(readdirSync(join(folder(), "a", "b"))).toEqual(["c"]);
  writeFileSync(join(folder(), "file"), "");
  const blocked = join(folder(), "file", "x");
  expect(() => makeFolder(blocked)).toThrow(`${join(folder(), "file")}: the folder cannot be made: EEXIST`);
});

test.runIf(existsSync("/proc/self"))("a file system that has no room for folders ends it", () => {
  expect(() => makeFolder("/proc/espalier/x")).toThrow(/^\/proc\/espalier: the folder cannot be made: ENOENT/);
});
