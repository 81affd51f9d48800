// Frames of made-up sound, with the state that Silero VAD has there, as `espalier prune silero.onnx --data bench/vad-data.mjs`
// reads them.
import { toFloat32 } from "../dist/index.js";
import { clips, rate, runAlong, vadPath } from "./vad-sound.mjs";

/** Every third frame of each of 48 clips. */
export default async function frames() {
  const seen = clips("seen", 48);
  const [input, state] = [[], []];
  for (const [i, { feeds }] of (await runAlong(vadPath, seen)).entries()) {
    const [samples, before] = [feeds.input, feeds.state].map(toFloat32);
    const width = samples.length / seen.length;
    for (const c of seen.keys()) {
      if ((i + c) % 3 !== 0) continue;
      input.push(samples.slice(c * width, (c + 1) * width));
      const ofPart = (part) => before.slice((part * seen.length + c) * 128, (part * seen.length + c + 1) * 128);
      state.push([ofPart(0), ofPart(1)]);
    }
  }
  return { inputs: { input, state, sr: rate } };
}
