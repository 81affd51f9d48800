import { expect, it } from "vitest";
import { leftLine, proofFact, refitFacts, shareLeft } from "./cut-facts.js";

it("names the largest difference of a proof", () => {
  expect(proofFact({ differences: { a: 1.24e-7, b: 3.6e-7 } })[1]).toMatch(/differ by 3\.6e-7 of/);
  expect(proofFact({ differences: {} })[1]).toBe("cut and masked network give the same outputs");
});

it("tells what refitting brought in the mean, each layer counted once", () => {
  expect(refitFacts([])).toEqual([]);
  const refits = [
    { name: "a", before: 0.5, after: 0.1 },
    { name: "a", before: 0.3, after: 0.05 },
    { name: "b", before: 0.1, after: 0.03 },
  ];
  // (0.5 + 0.3 + 0.1) / 3 = 0.3 and (0.1 + 0.05 + 0.03) / 3 = 0.06.
  expect(refitFacts(refits)).toEqual([["refitted", "2 layers, which gave outputs off by 30.00 %, now by 6.00 %"]]);
});

it("says what stays, also of networks without parameters", () => {
  const left = shareLeft({ parameters: 200, macs: 4000 }, { parameters: 50, macs: 1500 });
  expect(leftLine(left)).toBe("what stays: 25.00 % of the parameters, 37.50 % of the MACs");
  expect(shareLeft({ parameters: 0, macs: 4 }, { parameters: 0, macs: 1 })).toEqual({ parameters: 1, macs: 0.25 });
});
