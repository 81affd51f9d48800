import { expect, test } from "vitest";
import { linePlot, pushApart, runsOf, thin } from "./line.js";

const frame = {
  id: "p",
  title: "t",
  description: "d",
  height: 100,
  x: { from: 0, to: 10 },
  y: { from: 0, to: 1 },
  xLabel: null,
  label: "end",
  dots: false,
  reference: null,
};

test("a gap ends a run of the line and no coordinate is NaN", () => {
  const points = [
    { x: 0, y: 0 },
    { x: 5, y: 1 },
    { x: 6, y: Number.NaN },
    { x: 7, y: null },
    { x: 10, y: 0.25 },
  ];
  expect(runsOf(points)).toEqual([points.slice(0, 2), points.slice(4)]);
  const { text } = linePlot({ ...frame, points });
  expect(text).toContain('d="M0,100L50,0"');
  // A lone point is invisible as a line.
  expect(text).toContain('<circle class="dot" cx="100%" cy="75" r="2.5"/>');
  expect(text).not.toMatch(/NaN|Infinity/);
});

test("a plot without a drawable point has axes and no line", () => {
  const { text } = linePlot({ ...frame, points: [{ x: 1, y: null }] });
  expect(text).not.toContain("<path");
  expect(text).toContain('class="grid"');
});

test("labels are pushed apart around their middle", () => {
  expect(pushApart(50, 53, 15)).toEqual([44, 59]);
  expect(pushApart(53, 50, 15)).toEqual([59, 44]);
  expect(pushApart(0, 15, 15)).toEqual([0, 15]);
});

test("thinning keeps the ends, joins neighbours, keeps wide gaps", () => {
  const points = Array.from({ length: 1000 }, (_, i) => ({ x: i, y: i < 500 ? i : null }));
  const last = thin(points, 10, "last");
  expect(last).toHaveLength(10);
  expect(last[0]).toEqual({ x: 0, y: 0 });
  expect(last[1]).toEqual({ x: 199, y: 199 });
  expect(last[9]).toEqual({ x: 999, y: null });
  // Mean of 100 .. 199
  expect(thin(points, 10, "mean")[1]).toEqual({ x: 199, y: 149.5 });
  expect(thin(points.slice(0, 10), 10, "mean")).toEqual(points.slice(0, 10));
});
