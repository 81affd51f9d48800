// Made-up sound for bench/vad.mjs, and how Silero VAD runs along it.
import { fileURLToPath } from "node:url";
import { floatTensor, intTensor, nodeEngine, randomStream, toFloat32 } from "../dist/index.js";

export const vadPath = fileURLToPath(
  new URL("../node_modules/@ricky0123/vad-web/dist/silero_vad_v5.onnx", import.meta.url),
);

export const rate = 16000;
/** Samples of a frame, and of the one before it that the network is shown with it. */
const [frame, context] = [512, 64];
const seconds = 6;

/** F1, F2, F3 of some vowels, in Hz. */
const vowels = [
  [730, 1090, 2440],
  [270, 2290, 3010],
  [300, 870, 2240],
  [530, 1840, 2480],
  [570, 840, 2410],
  [660, 1720, 2410],
  [440, 1020, 2240],
  [490, 1350, 1690],
];
const between = (random, low, high) => low + (high - low) * random.uniform();
const pick = (random, list) => list[random.integer(list.length)];

/** A resonance at `frequency`, two poles: y = x + 2 r cos(w) y1 - r^2 y2. */
function resonator() {
  let [y1, y2] = [0, 0];
  return (x, frequency, bandwidth) => {
    const r = Math.exp((-Math.PI * bandwidth) / rate);
    const y = (1 - r) * x + 2 * r * Math.cos((2 * Math.PI * frequency) / rate) * y1 - r * r * y2;
    [y2, y1] = [y1, y];
    return y;
  };
}

/**
 * Syllables of a vowel that glides into the next, some after a hiss, in phrases with pauses: pulses of a voice whose pitch
 * falls and trembles, through three formants.
 */
function speech(random, length) {
  const out = new Float32Array(length);
  const voice = between(random, 90, 230);
  const size = between(random, 0.9, 1.2);
  let at = Math.floor(between(random, 0.1, 0.8) * rate);
  while (at < length) {
    const syllables = 2 + random.integer(6);
    const filters = [resonator(), resonator(), resonator()];
    let [phase, from] = [0, pick(random, vowels)];
    for (let s = 0; s < syllables && at < length; s++) {
      if (random.uniform() < 0.4) {
        const hiss = resonator();
        const [end, pitch] = [at + Math.floor(between(random, 0.04, 0.11) * rate), between(random, 3000, 6000)];
        const loud = between(random, 0.2, 0.6);
        for (; at < Math.min(end, length); at++) out[at] += loud * hiss(random.normal(), pitch, 1500);
      }
      const to = pick(random, vowels);
      const samples = Math.floor(between(random, 0.12, 0.3) * rate);
      const loud = between(random, 0.6, 1);
      for (let i = 0; i < samples && at < length; i++, at++) {
        const t = i / samples;
        const pitch =
          voice * (1.15 - 0.25 * ((s + t) / syllables)) * (1 + 0.02 * Math.sin((2 * Math.PI * 5 * at) / rate));
        phase += (pitch * (1 + 0.01 * random.normal())) / rate;
        // A closing glottis: a ramp that falls off once in a period.
        const source = (phase % 1) ** 2 - 0.33 + 0.03 * random.normal();
        const open = Math.min(1, 6 * t, 4 * (1 - t));
        const sound = filters.reduce((x, filter, f) => {
          const formant = size * (from[f] + (to[f] - from[f]) * Math.min(1, 1.5 * t));
          return x + filter(source, formant, 60 + 40 * f) * [6, 4, 2.5][f];
        }, 0);
        out[at] += loud * open * sound;
      }
      from = to;
    }
    at += Math.floor(between(random, 0.25, 1.2) * rate);
  }
  return out;
}

/** Noise whose spectrum falls, now louder, now softer. */
function noise(random, length) {
  const out = new Float32Array(length);
  const [smooth, swell] = [between(random, 0, 0.98), between(random, 0.1, 2)];
  let low = 0;
  for (let i = 0; i < length; i++) {
    low = smooth * low + (1 - smooth) * random.normal();
    out[i] = low * (1 + 0.5 * Math.sin((2 * Math.PI * swell * i) / rate));
  }
  return out;
}

/** Notes, some together, with their harmonics, that die away. */
function tones(random, length) {
  const out = new Float32Array(length);
  for (let at = 0; at < length; at += Math.floor(between(random, 0.15, 0.7) * rate)) {
    const [pitch, decay] = [110 * 2 ** (random.integer(36) / 12), between(random, 1, 8)];
    for (let i = 0; at + i < length && i < 2 * rate; i++) {
      for (let h = 1; h <= 4; h++) {
        out[at + i] += (Math.exp((-decay * i) / rate) * Math.sin((2 * Math.PI * pitch * h * i) / rate)) / h;
      }
    }
  }
  return out;
}

function scaled(sound, level) {
  const norm = Math.sqrt(sound.reduce((sum, x) => sum + x * x, 0) / sound.length) || 1;
  return sound.map((x) => (x / norm) * level);
}

/** Speech in the quiet and over noise or music, noise and music alone: six seconds each, samples between -1 and 1. */
export const clips = (name, count) => Array.from({ length: count }, (_, i) => clip(name, i));

function clip(name, number) {
  const random = randomStream(1, "sound", name, number);
  const length = seconds * rate;
  const level = between(random, 0.02, 0.12);
  const behind = number % 3 === 2 ? tones(random, length) : noise(random, length);
  const softer = number % 4 === 3 ? 1 : 10 ** (-between(random, 3, 35) / 20);
  const voice = number % 4 === 3 ? new Float32Array(length) : scaled(speech(random, length), level);
  const rest = scaled(behind, level * softer);
  return voice.map((x, i) => Math.max(-1, Math.min(1, x + rest[i])));
}

/** Frames of a clip, each behind the end of the one before: 576 samples. */
function framesOf(sound) {
  return Array.from({ length: Math.floor(sound.length / frame) }, (_, i) => {
    const samples = new Float32Array(context + frame);
    samples.set(sound.subarray(Math.max(0, i * frame - context), (i + 1) * frame), i === 0 ? context : 0);
    return samples;
  });
}

/** Runs a network along clips, all side by side, with its own state. [frame][clip] of probabilities and states before. */
export async function runAlong(bytes, clips) {
  const session = await nodeEngine.load(bytes, { threads: 1 });
  const frames = clips.map(framesOf);
  let state = floatTensor([2, clips.length, 128], new Float32Array(256 * clips.length));
  const steps = [];
  for (let i = 0; i < frames[0].length; i++) {
    const input = new Float32Array(clips.length * (context + frame));
    for (const [c, list] of frames.entries()) input.set(list[i], c * (context + frame));
    const feeds = { input: floatTensor([clips.length, context + frame], input), state, sr: intTensor([rate], []) };
    const { output, stateN } = await session.run(feeds);
    steps.push({ feeds, speech: toFloat32(output) });
    state = stateN;
  }
  await session.release();
  return steps;
}
