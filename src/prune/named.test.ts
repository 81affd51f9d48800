import { expect, it } from "vitest";
import { allCriteria, allScopes, findNamed } from "./named.js";

it("finds each by its name, which no other has", () => {
  for (const all of [allCriteria, allScopes]) {
    for (const one of all) expect(findNamed("thing", all as readonly { name: string }[], one.name)).toBe(one);
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
  }
});

it("lists the names when there is none such", () => {
  expect(() => findNamed("scope", allScopes, "galaxy")).toThrow(/no scope 'galaxy'.*layer, global, lamp, erk/);
});
