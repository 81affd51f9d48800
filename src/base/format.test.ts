import { expect, test } from "vitest";
import {
  formatBytes,
  formatCount,
  formatLoss,
  formatMilliseconds,
  formatPercent,
  formatShort,
  formatSigned,
} from "./format.js";

test("sizes have three digits and move to the next unit where rounding does", () => {
  expect([0, 999, 1000, 31_249, 246_824, 999_499, 999_500].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.00 kB",
    "31.2 kB",
    "247 kB",
    "999 kB",
    "1.00 MB",
  ]);
  expect([12, 416_520, 4.1e9].map(formatShort)).toEqual(["12", "417 k", "4.10 G"]);
});

test("a share is all or nothing only when it is", () => {
  expect([0.8978, 1, 0, 0.5].map((share) => formatPercent(share))).toEqual([
    "89.78 %",
    "100.00 %",
    "0.00 %",
    "50.00 %",
  ]);
  expect(formatPercent(0.9996, 1)).toBe("99.96 %");
  expect(formatPercent(0.99999)).toBe("99.999 %");
  expect(formatPercent(0.0000123, 1)).toBe("0.001 %");
});

test("other numbers", () => {
  expect([61_706, 0.5].map(formatCount)).toEqual(["61,706", "0.5"]);
  expect([0.0123, 12.345, 1500].map(formatMilliseconds)).toEqual(["0.0123 ms", "12.3 ms", "1.50 s"]);
  expect([0.40412, 0, 0.000123].map(formatLoss)).toEqual(["0.4041", "0.0000", "1.23e-4"]);
  expect([-0.374, 0.0049, 1].map((value) => formatSigned(value, 2))).toEqual(["−0.37", "±0", "+1.00"]);
});
