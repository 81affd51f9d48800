// Whether every model of a folder trains: compiles the training step of its self-distillation, starts from weights that
// were moved at random, compares the gradient with central differences of the loss along 20 random directions, takes five
// steps, and writes the table docs/trainable.md.
//
//   npm run bench:trainable -- FOLDER [NAME ...]     a folder with models, and inflate.mjs if they come without weights
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adamW, exampleInputs, meanSquare, modelBytes, nodeEngine, randomStream, readModel } from "../dist/index.js";
import { gather } from "../dist/train/layout.js";
import { prepareModel } from "../dist/train/prepare.js";
import { compileProgram } from "../dist/train/program.js";
import { Trainer } from "../dist/train/trainer.js";

const [folder, ...wanted] = process.argv.slice(2);
if (!folder) {
  console.error("usage: npm run bench:trainable -- FOLDER [NAME ...]");
  process.exit(2);
}
const directions = 20;
/** Of each weight, as a share of it. */
const moved = 0.03;
const rate = 1e-4;
const inflate = join(folder, "inflate.mjs");
const scratch = mkdtempSync(join(tmpdir(), "espalier-trainable-"));

async function answers(model, inputs) {
  const session = await nodeEngine.load(modelBytes(model));
  const results = await session.run(inputs);
  await session.release();
  return results[model.graph.outputs[0].name];
}

const along = (point, direction, h) => point.map((value, i) => value + h * direction[i]);
const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);

/**
 * The largest difference between the gradient and the central difference with the step that fits best, of what the
 * products of gradient and directions are like: |g| |d| / sqrt(n).
 */
async function differences(trainer, step, gradient, random) {
  const { vectors } = trainer.state;
  const point = trainer.weights;
  const size = (vector) => Math.sqrt(dot(vector, vector));
  let worst = 0;
  for (let i = 0; i < directions; i++) {
    const direction = point.map((weight) => weight * random.normal());
    const scale = (size(gradient) * size(direction)) / Math.sqrt(point.length);
    const analytic = dot(gradient, direction);
    const lossAt = async (h) => {
      trainer.state = { ...trainer.state, vectors: { ...vectors, "train/parameters": along(point, direction, h) } };
      return trainer.lossOn(step);
    };
    // The longer a step, the more kinks it crosses; the shorter, the more the loss is rounded.
    const errors = [];
    for (const h of [1e-3, 1e-4, 1e-5]) {
      const numeric = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
      errors.push(Math.abs(numeric - analytic) / scale);
    }
    worst = Math.max(worst, Math.min(...errors));
  }
  trainer.state = { ...trainer.state, vectors };
  return worst;
}

async function train(file) {
  const started = performance.now();
  const model = readModel(file);
  const inputs = exampleInputs(model);
  const optimizer = adamW();
  const targets = { value: await answers(model, inputs) };
  const program = await compileProgram(
    prepareModel(model),
    { inputs, targets },
    { loss: meanSquare, optimizer, batchNorm: "fixed", masked: false, statistics: { gradient: (_, __, g) => g } },
    nodeEngine,
  );
  const compiled = (performance.now() - started) / 1000;
  const random = randomStream(1, "trainable");
  const original = gather(program.parameters, model.graph);
  const parameters = original.map((weight) => weight * (1 + moved * random.normal()));
  const running = gather(program.running, model.graph);
  const trainer = await Trainer.create(program, optimizer, { parameters, running }, nodeEngine);
  const step = {
    inputs: program.inputs.map((name) => inputs[name]),
    targets,
    rate,
  };
  await trainer.take([{ ...step, rate: 0 }]);
  const gradient = trainer.statistic("gradient");
  const worst = await differences(trainer, step, gradient, random);
  const losses = [];
  for (let i = 0; i < 5; i++) losses.push((await trainer.take([step]))[0].loss);
  losses.push(await trainer.lossOn(step));
  await trainer.release();
  return { tensors: program.parameters.slices.length, parameters: parameters.length, compiled, worst, losses };
}

const names = readdirSync(folder)
  .filter((name) => name.endsWith(".onnx"))
  .map((name) => name.slice(0, -".onnx".length))
  .filter((name) => wanted.length === 0 || wanted.includes(name));
const rows = [];
let failed = 0;
try {
  for (const name of names) {
    const file = existsSync(inflate) ? join(scratch, `${name}.onnx`) : join(folder, `${name}.onnx`);
    if (existsSync(inflate)) execFileSync("node", [inflate, name, file]);
    try {
      const { tensors, parameters, compiled, worst, losses } = await train(file);
      const ok = worst < 0.02 && losses[5] < losses[0];
      if (!ok) failed++;
      const falls = `${losses[0].toExponential(2)} -> ${losses[5].toExponential(2)}`;
      rows.push([name, tensors, parameters, worst.toExponential(1), falls, compiled.toFixed(1), ok ? "yes" : "no"]);
    } catch (error) {
      failed++;
      rows.push([name, "", "", "", "", "", error.message]);
    }
    if (existsSync(inflate)) rmSync(file);
    console.log(rows.at(-1).join("  "));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${names.length - failed} of ${names.length} models train`);
if (wanted.length === 0) {
  const head = ["model", "tensors", "parameters", "gradient off by", "loss, five steps", "compiled in, s", "trains"];
  const table = [head, head.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`);
  writeFileSync(
    "docs/trainable.md",
    `# Training every model

Written by \`npm run bench:trainable\`. Each model learns its own answers (mean-square) from weights that were moved by
${100 * moved} % at random, with AdamW at ${rate}. *Gradient off by*: the largest difference from central differences of the loss along
${directions} random directions, relative to the size that products of the gradient and such directions have.

${table.join("\n")}
`,
  );
}
process.exitCode = failed > 0 ? 1 : 0;
