import { describe, expect, test } from "vitest";
import { randomStream } from "../base/random.js";
import { weightHistograms } from "./histogram.js";
import { renderReport } from "./html.js";
import type { RunRecord } from "./record.js";

const measured = {
  accuracy: 0.901,
  loss: 0.3,
  parameters: 61_706,
  nonzeros: 61_706,
  bytes: 247_000,
  brotliBytes: 228_000,
  macs: 416_520,
  effectiveMacs: 416_520,
  latencyMs: 0.08,
  inputs: { x: [1, 1, 28, 28] },
};

const random = randomStream(3, "report");
const weights = Float32Array.from({ length: 1000 }, () => random.normal());

const record: RunRecord = {
  model: "lenet-5.onnx",
  data: "fashion-mnist-small",
  date: "2025-01-02T03:04:05.000Z",
  version: "0.1.0",
  command: "espalier prune lenet-5.onnx --sparsity 0.95",
  options: { sparsity: 0.95, ignore: ["*.bias", "fc3.*"], regrow: false, threads: null },
  before: measured,
  after: { ...measured, accuracy: 0.898, nonzeros: 3085, bytes: 31_000 },
  rounds: [{ round: 1, sparsity: 0.95, accuracy: 0.898, loss: 0.31, bytes: 31_000, kept: true }],
  curve: Array.from({ length: 2000 }, (_, i) => ({
    step: i + 1,
    sparsity: i / 2000,
    loss: i === 7 ? Number.NaN : 1 / (i + 1),
    accuracy: i % 100 === 99 ? 0.9 : null,
  })),
  layers: [{ name: "conv1.weight", dims: [6, 1, 5, 5], size: 1000, zerosBefore: 0, zerosAfter: 950 }],
  histograms: weightHistograms([weights], [weights.map((w) => (Math.abs(w) < 1.96 ? 0 : w))]),
  confusion: {
    classNames: ["shoe", "bag"],
    before: [
      [9, 1],
      [2, 8],
    ],
    after: [
      [7, 3],
      [0, 10],
    ],
  },
};

const voidElements = new Set(["meta", "wbr", "br", "line", "rect", "path", "circle"]);

/** Walks the tags; every one must be closed in order, and every attribute quoted. */
function checkWellFormed(page: string): void {
  const body = page.replace(/^<!doctype html>/, "").replace(/<style>[^<]*<\/style>/, "");
  const open: string[] = [];
  let rest = body;
  for (let at = rest.indexOf("<"); at >= 0; at = rest.indexOf("<")) {
    expect(rest.slice(0, at)).not.toMatch(/>|&(?!(amp|lt|gt|quot|#39);)/);
    rest = rest.slice(at);
    const tag = /^<(\/?)([a-z0-9]+)((?: [a-zA-Z][a-zA-Z0-9:-]*="[^"<>]*")*)(\/?)>/.exec(rest);
    expect(tag, rest.slice(0, 80)).not.toBeNull();
    const [whole, closing, name, , selfClosing] = tag!;
    if (closing) expect(open.pop()).toBe(name);
    else if (selfClosing) expect(voidElements).toContain(name);
    else open.push(name);
    rest = rest.slice(whole.length);
  }
  expect(open).toEqual([]);
}

function idsOf(page: string): string[] {
  return [...page.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
}

describe("renderReport", () => {
  test("is well-formed, labelled and free of scripts and addresses", () => {
    const page = renderReport(record);
    checkWellFormed(page);
    expect(page).not.toMatch(/<script|https?:|url\(|@import|NaN|Infinity|undefined/);
    const ids = idsOf(page);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, labels] of page.matchAll(/aria-labelledby="([^"]*)"/g)) {
      for (const label of labels.split(" ")) expect(ids).toContain(label);
    }
    // Five plots, each an image with a name.
    expect(page.match(/role="img" aria-labelledby/g)).toHaveLength(5);
  });

  test("begins with what was achieved", () => {
    const text = renderReport(record).replace(/<[^>]*>/g, "");
    expect(text).toContain("95.0 % of the weights removed, accuracy 90.1 → 89.8 %, file 247 kB → 31.0 kB.");
  });

  test("takes every name from a file as hostile", () => {
    const evil = `</title></style><script>alert(1)</script><img src=x onerror="alert('2')">&amp;\u0000\u202e`;
    const page = renderReport({
      ...record,
      model: evil,
      data: evil,
      date: evil,
      version: evil,
      command: evil,
      options: { [evil]: evil, list: [evil] },
      after: { ...record.after, inputs: { [evil]: [1] } },
      layers: [{ ...record.layers[0], name: evil }],
      confusion: { ...record.confusion!, classNames: [evil, evil] },
    });
    checkWellFormed(page);
    expect(page).not.toMatch(/<script|<img/i);
    expect(page).toContain("&lt;script&gt;");
    expect(page.match(/<\/style>/g)).toHaveLength(1);
    expect(page.match(/<\/title>/g)).toHaveLength(6);
  });

  test("leaves out what the run did not do", () => {
    const nothing = { accuracy: null, loss: null, macs: null, effectiveMacs: null, latencyMs: null, inputs: null };
    const bare: RunRecord = {
      ...record,
      data: null,
      command: null,
      options: {},
      before: { ...measured, ...nothing },
      after: { ...measured, ...nothing, nonzeros: 3085 },
      rounds: [],
      curve: [],
      layers: [],
      confusion: null,
    };
    const page = renderReport(bare);
    checkWellFormed(page);
    expect(page.match(/<h2>/g)).toHaveLength(3);
    expect(page).not.toContain("MACs and latency are");
    expect(renderReport(record)).toContain("MACs and latency are those of one run on x [1, 1, 28, 28].");
    expect(page.replace(/<[^>]*>/g, "")).toContain("95.0 % of the weights removed, file 247 kB → 247 kB.");
    checkWellFormed(renderReport({ ...bare, curve: [{ step: 0, sparsity: 0, loss: null, accuracy: null }] }));
  });

  test("the layers' bars are as long as what is left", () => {
    expect(renderReport(record)).toContain('<rect class="left" width="5%" height="10"/>');
  });

  test("rounds are listed when there was a target, with their sizes where those count", () => {
    const text = renderReport(record).replace(/<[^>]*>/g, " ");
    expect(text).toMatch(/1\s+95\.00 %\s+89\.80 %\s+0\.3100\s+31\.0 kB\s+kept/);
    const rounds = [{ ...record.rounds[0], kept: null, bytes: null }];
    expect(renderReport({ ...record, rounds })).not.toContain("<h2>Rounds");
    const missed = renderReport({ ...record, rounds: [{ ...record.rounds[0], kept: false, bytes: null }] });
    expect(missed).toContain('<td class="missed">missed</td>');
    expect(missed).not.toContain('<th scope="col">file</th>');
  });

  test("classes that lost most come first", () => {
    const text = renderReport(record).replace(/<[^>]*>/g, " ");
    expect(text).toMatch(
      /shoe\s+10\s+90.0 %\s+70.0 %\s+−20.0\s+bag\s+30.0 %[\s\S]*bag\s+10\s+80.0 %\s+100.0 %\s+\+20.0\s+–/,
    );
  });
});
