import { EspalierError } from "../../base/errors.js";
import { toNumbers } from "../../base/tensor.js";
import type { Dataset } from "../../data/dataset.js";

const atOnce = 1024;

/**
 * How many token ids a network has to know to read the first input of all these datasets: the largest id and 1, or what
 * is `given`.
 * Throws `bad-data` for ids below 0 or beyond what is given.
 */
export async function vocabularyOf(datasets: readonly Dataset[], given?: number): Promise<number> {
  let largest = 0;
  for (const data of datasets) {
    for (let first = 0; first < data.size; first += atOnce) {
      const count = Math.min(atOnce, data.size - first);
      const { inputs } = await data.read(Uint32Array.from({ length: count }, (_, i) => first + i));
      const ids = toNumbers(inputs[0]);
      const bad = ids.findIndex((id) => !(id >= 0 && id < (given ?? Number.POSITIVE_INFINITY)));
      if (bad >= 0) {
        const example = first + Math.floor(bad / (ids.length / count));
        const range = given === undefined ? "whole numbers from 0" : `0 .. ${given - 1}`;
        throw new EspalierError("bad-data", `example ${example} holds the token id ${ids[bad]}; ids are ${range}`, {
          who: data.name,
          hint: given === undefined ? "Number the tokens from 0." : "Give a larger --vocabulary.",
        });
      }
      largest = ids.reduce((a, b) => Math.max(a, b), largest);
    }
  }
  return given ?? largest + 1;
}
