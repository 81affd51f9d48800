import fc from "fast-check";
import { expect, test } from "vitest";
import { formatClock } from "./format.js";
import { renderHistogram } from "./histogram.js";
import { byteCount, numberIn, shapes, wholeNumber } from "./options.js";
import { progressLine } from "./progress.js";
import { renderTable } from "./table.js";

test("a table aligns its columns, numbers to the right, totals under a rule", () => {
  const columns = [{ title: "layer" }, { title: "size", align: "right" as const }];
  const rows = [
    ["conv", "7"],
    ["a longer one", "1,234"],
    ["total", "1,241"],
  ];
  expect(renderTable(columns, rows, { totals: 1 }).split("\n")).toEqual([
    "layer          size",
    "────────────  ─────",
    "conv              7",
    "a longer one  1,234",
    "────────────  ─────",
    "total         1,241",
  ]);
});

test("names out of a file cannot move the cursor or break the table", () => {
  const text = renderTable([{ title: "name" }], [["a\nb\x1b[2J"], ["x".repeat(1000)]]);
  expect(text).not.toContain("\x1b");
  expect(text.split("\n")).toHaveLength(4);
  expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThan(60);
});

test("bars of a histogram grow with the logarithm, and 1 is still seen", () => {
  const lines = renderHistogram({ limit: 2, counts: [999, 1, 0], zeros: 31, beyond: 0 }).split("\n");
  // 40 characters for log(1000); log(32) is half and log(2) a tenth of it: 160.5 and 32.1 eighths.
  expect(lines).toEqual([
    `            0   31  ${"█".repeat(20)}▏`,
    `   0 to 0.667  999  ${"█".repeat(40)}`,
    `0.667 to 1.33    1  ${"█".repeat(4)}`,
    " 1.33 to 2.00    0",
  ]);
  expect(renderHistogram({ limit: 0, counts: [0], zeros: 5, beyond: 0 })).toBe("all 5 weights are zero");
});

test("the progress line", () => {
  expect(progressLine("training", 0, 10, 0, "")).toBe(`training  ${" ".repeat(24)}    0 %  0:00`);
  expect(progressLine("training", 5, 10, 65, "loss 0.5")).toBe(
    `training  ${"█".repeat(12)}${" ".repeat(12)}   50 %  1:05 of 2:10  loss 0.5`,
  );
  expect(progressLine("x", 10, 10, 1, "")).toBe(`x  ${"█".repeat(24)}  100 %  0:01 of 0:01`);
});

test("clock", () => {
  expect([0, 59.4, 59.6, 3599, 3600, 36_061].map(formatClock)).toEqual([
    "0:00",
    "0:59",
    "1:00",
    "59:59",
    "1:00:00",
    "10:01:01",
  ]);
});

test("numbers of options: what is in range comes through, everything else is refused", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1000 }), (value) => {
      expect(wholeNumber(0, 1000)(String(value))).toBe(value);
      expect(() => wholeNumber(value + 1)(String(value))).toThrow();
    }),
  );
  for (const text of ["", " ", "1.5", "-1", "1e3", "0x10", "1 ", "Infinity"]) {
    expect(() => wholeNumber(0)(text), text).toThrow("Expected a whole number from 0");
  }
  const share = numberIn(0, 1, { openHigh: true });
  expect([share("0"), share("0.5"), share("1e-3")]).toEqual([0, 0.5, 0.001]);
  for (const text of ["", "1", "-0.1", "x", "NaN"]) expect(() => share(text), text).toThrow("from 0 and below 1");
  expect(() => numberIn(0, Number.POSITIVE_INFINITY, { openLow: true })("0")).toThrow("Expected a number above 0.");
});

test("sizes in bytes", () => {
  expect(["100kB", "1.5MB", "2 KiB", "4096", "1gb"].map(byteCount)).toEqual([100_000, 1_500_000, 2048, 4096, 1e9]);
  for (const text of ["", "kB", "-1", "0", "1 light year", "1e5", "0.5"]) {
    expect(() => byteCount(text), text).toThrow("Expected a size");
  }
});

test("shapes collect, the last = parts name from dims", () => {
  const first = shapes("a=1x3x224", undefined);
  expect(shapes("b=c=2", first)).toEqual({ a: [1, 3, 224], "b=c": [2] });
  for (const text of ["", "a", "=1", "a=", "a=0", "a=1x", "a=-1", "a=1.5", "a=99999999999"]) {
    expect(() => shapes(text, undefined), text).toThrow("Expected a name and dims");
  }
});
