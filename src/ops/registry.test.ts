import { expect, it } from "vitest";
import { allCases } from "./all.cases.js";
import { nameOf } from "./define.js";
import { allOps } from "./registry.js";

it("defines every operator once", () => {
  const keys = allOps.map(nameOf);
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
});

it("has no two cases of the same name, since names seed their data", () => {
  const names = allCases.map((c) => `${c.op}: ${c.name}`);
  expect(names.filter((name, i) => names.indexOf(name) !== i)).toEqual([]);
});
