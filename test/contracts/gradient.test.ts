import { describe, expect, it } from "vitest";
import { randomStream } from "../../src/base/random.js";
import { floatTensor, sizeOf, type Tensor, toFloat32 } from "../../src/base/tensor.js";
import { addGraphOutput } from "../../src/graph/edit.js";
import type { Model, Value } from "../../src/graph/ir.js";
import { modelBytes } from "../../src/onnx/write.js";
import { allCases } from "../../src/ops/all.cases.js";
import { nameOf } from "../../src/ops/define.js";
import { buildCase, type OpCase } from "../../src/ops/op.cases.js";
import { recurrentVariants } from "../../src/ops/recurrent.cases.js";
import { allOps } from "../../src/ops/registry.js";
import { emitGradients } from "../../src/passes/autodiff.js";
import { expandComposites } from "../../src/passes/expand-composites.js";
import { nodeEngine } from "../../src/run/node.js";
import type { Session, Tensors } from "../../src/run/session.js";
import { traceModel } from "../../src/run/trace.js";

// Every gradient rule against central differences of onnxruntime's own forward pass. The loss is a fixed random
// combination of the outputs, summed in double precision. Differences are taken with the five-point stencil
//   f'(x) = (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h, error h^4: exact for everything piecewise linear.
const seed = 20;
const step = 0.02;
const tolerance = 2e-3;
const directions = 6;
const elements = 10;

const ruled = allOps.filter((op) => ["rule", "expansion"].includes(op.gradient.kind)).map(nameOf);
const cases = [...allCases, ...recurrentVariants].filter((c) => ruled.includes(c.op));

describe("gradient rules agree with central differences", () => {
  it.each(cases.map((c) => [`${c.op}: ${c.name}`, c] as const))("%s", async (_, testCase) => {
    await checkCase(testCase);
  });

  it("has at least one case for every rule", () => {
    const covered = new Set(cases.map((c) => c.op));
    expect(ruled.filter((type) => !covered.has(type))).toEqual([]);
  });
});

async function checkCase(testCase: OpCase): Promise<void> {
  const { model, builder, outputs } = buildCase(testCase, seed);
  const random = randomStream(seed, "weights", testCase.op, testCase.name);
  const forward = new Set(model.graph.nodes);
  const trace = await traceModel(model, builder.feeds, nodeEngine);
  expect([...forward].some((node) => node.operator === testCase.op)).toBe(true);

  for (const output of outputs) addGraphOutput(model.graph, output);
  const weights = outputs.map((output) =>
    floatTensor(
      trace.dims(output),
      Float32Array.from({ length: sizeOf(trace.dims(output)) }, () => random.normal()),
    ),
  );
  const forwardSession = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const expanded = expandComposites(model, trace) > 0;
  if (expanded) await expectEqualOutputs(forwardSession, model, builder.feeds);
  const traced = expanded ? await traceModel(model, builder.feeds, nodeEngine) : trace;

  const seeds = new Map(outputs.map((output, i) => [output, builder.constant(weights[i])]));
  const gradients = emitGradients(model.graph, seeds, builder.differentiable, traced);
  const session = await nodeEngine.load(modelBytes(model, [...gradients.values()]), { threads: 1 });
  const results = await session.run(builder.feeds);

  for (const input of builder.differentiable) {
    const gradient = gradients.get(input);
    if (!gradient) throw new Error(`no gradient for ${input.name}`);
    const actual = results[gradient.name];
    expect(actual.dims, `dims of the gradient of ${input.name}`).toEqual(trace.dims(input));
    const at = builder.feeds[input.name];
    for (const direction of chooseDirections(at.size, `${testCase.op} ${testCase.name} ${input.name}`)) {
      const numeric = await difference(forwardSession, outputs, weights, builder.feeds, input, direction);
      const analytic = dot(toFloat32(actual), direction);
      const scale = Math.max(1, Math.abs(numeric));
      expect(
        Math.abs(numeric - analytic) / scale,
        `seed ${seed}, ${input.name}: central differences ${numeric}, rule ${analytic}`,
      ).toBeLessThan(tolerance);
    }
  }
  await session.release();
  await forwardSession.release();
}

/** What stands in the place of an operator computes what onnxruntime's own kernel does. */
async function expectEqualOutputs(original: Session, model: Model, feeds: Tensors): Promise<void> {
  const session = await nodeEngine.load(modelBytes(model), { threads: 1 });
  const [wanted, got] = [await original.run(feeds), await session.run(feeds)];
  for (const [name, tensor] of Object.entries(wanted)) {
    expect(got[name].dims, name).toEqual(tensor.dims);
    const values = toFloat32(got[name]);
    const differences = toFloat32(tensor).map((value, i) => Math.abs(value - values[i]) / Math.max(1, Math.abs(value)));
    expect(Math.max(...differences), `output ${name} differs`).toBeLessThan(1e-5);
  }
  await session.release();
}

/** Some single elements, and some random directions over all of them. */
function chooseDirections(size: number, purpose: string): Float32Array[] {
  const random = randomStream(seed, "directions", purpose);
  const chosen: Float32Array[] = [];
  for (const index of random.permutation(size).slice(0, elements)) {
    const unit = new Float32Array(size);
    unit[index] = 1;
    chosen.push(unit);
  }
  for (let i = 0; i < directions; i++) {
    // Entries of at most 1, so that no input moves further than the cases keep it from their kinks.
    chosen.push(Float32Array.from({ length: size }, () => 2 * random.uniform() - 1));
  }
  return chosen;
}

async function difference(
  session: Session,
  outputs: readonly Value[],
  weights: readonly Tensor[],
  feeds: Tensors,
  input: Value,
  direction: Float32Array,
): Promise<number> {
  const base = toFloat32(feeds[input.name]);
  const lossAt = async (h: number) => {
    const moved = floatTensor(
      feeds[input.name].dims,
      base.map((value, i) => value + h * direction[i]),
    );
    const results = await session.run({ ...feeds, [input.name]: moved });
    return outputs.reduce((sum, output, i) => sum + dot(toFloat32(results[output.name]), toFloat32(weights[i])), 0);
  };
  const near = (await lossAt(step)) - (await lossAt(-step));
  const far = (await lossAt(2 * step)) - (await lossAt(-2 * step));
  return (8 * near - far) / (12 * step);
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
