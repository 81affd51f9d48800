import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { smallModel } from "../../test/support/small-model.js";
import { temporaryFolder } from "../../test/support/temporary-folder.js";
import { readPruneData } from "./prune-data.js";
import { Terminal } from "./terminal.js";

const folder = temporaryFolder();

interface Part {
  size: number;
  labelled: boolean;
}

let count = 0;

/** How many examples are learnt from, judge the run (and as what), and judge the result; the parts hold examples of [12]. */
async function roles(parts: Record<string, Part>, share?: number) {
  const code = `
    const inputs = (size) => Array.from({ length: size }, (_, i) => Array(12).fill(i));
    const labels = (size) => Int32Array.from({ length: size }, (_, i) => i % 4);
    const part = ({ size, labelled }) => ({ inputs: inputs(size), ...(labelled && { labels: labels(size) }) });
    const parts = ${JSON.stringify(parts)};
    export default Object.fromEntries(Object.entries(parts).map(([name, wanted]) => [name, part(wanted)]));`;
  // Modules are read once for each path.
  const path = join(folder(), `data-${count++}.mjs`);
  writeFileSync(path, code);
  const data = await readPruneData(path, {}, smallModel(), { share, seed: 1 }, new Terminal({ quiet: true }));
  const judge = data?.judge ? `${data.judgeName} ${data.judge.size}` : null;
  return [data?.train.size, judge, data?.test?.size ?? null];
}

it("judges by the test part, by what is held out, and else by the training data", async () => {
  const train = { size: 40, labelled: true };
  expect(await roles({ train, test: { size: 8, labelled: true } })).toEqual([40, "test 8", 8]);
  expect(await roles({ train, test: { size: 8, labelled: true } }, 0.25)).toEqual([30, "validation 10", 8]);
  expect(await roles({ train }, 0.25)).toEqual([30, "validation 10", 10]);
  expect(await roles({ train })).toEqual([40, "training data 40", 40]);
});

it("judges by whatever has labels", async () => {
  const blind = { size: 40, labelled: false };
  expect(await roles({ train: blind, test: { size: 8, labelled: true } })).toEqual([40, "test 8", 8]);
  expect(await roles({ train: { size: 40, labelled: true }, test: { size: 8, labelled: false } })).toEqual([
    40,
    "training data 40",
    40,
  ]);
  expect(await roles({ train: blind })).toEqual([40, null, null]);
});
