import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fetchFile, hashContent } from "./fetch-file.js";

const content = Buffer.from("some content, some content");
const sha256 = createHash("sha256").update(content).digest("hex");
const folder = mkdtempSync(join(tmpdir(), "espalier-fetch-"));
let requests = 0;
const server = createServer((request, response) => {
  requests++;
  if (request.url === "/missing") response.writeHead(404).end();
  else if (request.url === "/cut") {
    response.writeHead(200, { "content-length": "100" });
    response.write("short");
    setTimeout(() => response.destroy(), 10);
  } else if (request.url === "/other") response.end("other content");
  else response.end(gzipSync(content));
});
let base = "";

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true });
});

const remote = (path: string, maxBytes = 1000) => ({ url: `${base}${path}`, sha256, maxBytes });

test("a file comes once, whole, and is left alone while it is right", async () => {
  const path = join(folder, "a.gz");
  const before = requests;
  await fetchFile(path, remote("/a"), "hint");
  expect(await hashContent(readFileSync(path), "a")).toBe(sha256);
  await fetchFile(path, remote("/a"), "hint");
  expect(requests).toBe(before + 1);
  for (const damaged of [readFileSync(path).subarray(0, 10), Buffer.from("x")]) {
    writeFileSync(path, damaged);
    await fetchFile(path, remote("/a"), "hint");
    expect(await hashContent(readFileSync(path), "a")).toBe(sha256);
  }
  expect(requests).toBe(before + 3);
});

test("whatever goes wrong is an io error with the hint, and leaves nothing behind", async () => {
  const before = readdirSync(folder);
  const get = (path: string, maxBytes?: number) => fetchFile(join(folder, "b"), remote(path, maxBytes), "Do that.");
  await expect(get("/missing")).rejects.toThrow(
    "/missing: the file cannot be fetched: the server answered 404. Do that.",
  );
  await expect(get("/cut")).rejects.toThrow(/\/cut: the file cannot be fetched: .* Do that\./);
  await expect(get("/other")).rejects.toThrow(/\/other: what came is another file: SHA-256 [0-9a-f]{64} instead of/);
  await expect(get("/a", 10)).rejects.toThrow("more than 10 bytes came");
  await expect(
    fetchFile(join(folder, "b"), { url: "http://127.0.0.1:1/a", sha256, maxBytes: 10 }, "Do that."),
  ).rejects.toMatchObject({ code: "io", hint: "Do that." });
  expect(readdirSync(folder)).toEqual(before);
});
