import { expect, test } from "vitest";
import { compareMeasurements, describeRun } from "./comparison.js";
import type { Measurement } from "./record.js";

const dense: Measurement = {
  accuracy: 0.9015,
  loss: 0.3012,
  parameters: 61706,
  nonzeros: 61706,
  bytes: 247_000,
  brotliBytes: 228_000,
  macs: 416_520,
  effectiveMacs: 416_520,
  latencyMs: 0.08,
  inputs: { x: [1, 1, 28, 28] },
};
const pruned: Measurement = {
  ...dense,
  accuracy: 0.898,
  loss: 0.3194,
  nonzeros: 3085,
  bytes: 31_000,
  brotliBytes: 200_000,
  effectiveMacs: 41_652,
  latencyMs: 0.088,
  inputs: { x: [1, 1, 28, 28] },
};

test("says what changed, each measure in its own way", () => {
  const changes = Object.fromEntries(compareMeasurements(dense, pruned).map(({ label, change }) => [label, change]));
  expect(changes).toEqual({
    accuracy: "−0.35 points",
    loss: "+0.0182",
    parameters: "same",
    nonzeros: "20.0 × smaller",
    file: "8.0 × smaller",
    "file, brotli": "−12.3 %",
    MACs: "same",
    "effective MACs": "10.0 × smaller",
    latency: "+10.0 %",
  });
});

test("what nobody measured is left out, what one side lacks is a dash", () => {
  const rows = compareMeasurements({ ...dense, latencyMs: null, macs: null }, { ...pruned, latencyMs: null });
  expect(rows.map(({ label }) => label)).not.toContain("latency");
  expect(rows.find(({ label }) => label === "MACs")).toEqual({
    label: "MACs",
    before: "–",
    after: "417 k",
    change: "",
  });
});

test("a run is told by the dims of its inputs, whose names cannot move a cursor", () => {
  const inputs = { ids: [1, 128], "a\u001b[2J": [1] };
  expect(describeRun({ inputs })).toMatch(/^one run on ids \[1, 128\], a\S*\[2J \[1\]$/);
  expect(describeRun({ inputs })).not.toContain("\u001b");
  expect(describeRun({ inputs: null })).toBe(null);
});

test("nothing left is not infinitely smaller", () => {
  const [, , , nonzeros] = compareMeasurements(dense, { ...pruned, nonzeros: 0 });
  expect(nonzeros).toEqual({ label: "nonzeros", before: "61,706", after: "0", change: "−100.0 %" });
});
