import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { toFloat32 } from "../../src/base/tensor.js";
import { constantOf } from "../../src/graph/constant.js";
import { readModel, writeModel } from "../../src/onnx/file.js";
import { Net } from "../support/cut-model.js";
import { ResidualNet } from "../support/residual-nets.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { assertBuilt, espalier } from "./run.js";

assertBuilt();
const folder = temporaryFolder();

function network(): string {
  const path = join(folder(), "net.onnx");
  const net = new Net(90);
  const h = net.b.emit("Relu", [net.conv(net.input(["batch", 3, 8, 8]), "a", 3, 16, { kernel: 3 })]);
  const flat = net.b.emit("Flatten", [net.b.emit("GlobalAveragePool", [net.conv(h, "b", 16, 32)])]);
  writeModel(net.output(net.linear(flat, "fc", 32, 4)), path, {});
  return path;
}

describe("prune --granularity", () => {
  it("writes a smaller network, and a report that repeats the cut", async () => {
    const [model, out, report] = [network(), join(folder(), "half.onnx"), join(folder(), "half.json")];
    const args = ["--granularity", "structured", "--sparsity", "0.5", "-o", out, "--report", report, "--json"];
    const { code, stdout } = await espalier(["prune", model, ...args]);
    expect(code).toBe(0);
    const { before, after, saved, differences } = JSON.parse(stdout);
    // 3x3x3x16 + 16 + 16x32 + 32 + 32x4 + 4; then 8 and 16 channels.
    expect(before.parameters).toBe(1124);
    expect(after.parameters).toBe(216 + 8 + 128 + 16 + 64 + 4);
    expect(saved.checked).toEqual(["onnxruntime-node", "onnxruntime-web"]);
    expect(Object.values<number>(differences).every((difference) => difference < 1e-4)).toBe(true);

    const { tensors } = JSON.parse(readFileSync(report, "utf8"));
    const [original, smaller] = [readModel(model), readModel(out)];
    expect(Object.keys(tensors).sort()).toEqual(["a", "a.bias", "b", "b.bias", "fc"]);
    for (const [name, axes] of Object.entries<{ axis: number; size: number; keep: number[] }[]>(tensors)) {
      const [from, to] = [original, smaller].map(({ graph }) => constantOf(graph.find(name) ?? null));
      if (!from || !to) throw new Error(`no constant ${name}`);
      let [values, dims] = [[...toFloat32(from)], [...from.dims]];
      for (const { axis, size, keep } of axes) {
        expect(size).toBe(dims[axis]);
        const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
        values = values.filter((_, i) => keep.includes(Math.floor(i / inner) % size));
        dims = dims.map((dim, i) => (i === axis ? keep.length : dim));
      }
      expect([...to.dims]).toEqual(dims);
      expect([...toFloat32(to)]).toEqual(values);
    }
  });

  it("cuts in rounds, trains between, and says how well it does", async () => {
    const [model, out] = [join(folder(), "lenet.onnx"), join(folder(), "cut.onnx")];
    const data = ["--data", "fashion-mnist-small"];
    const trained = await espalier(["train", "lenet-5", ...data, "--epochs", "1", "-o", model, "--quiet"]);
    expect(trained.code).toBe(0);
    const rounds = ["--schedule", "iterative", "--rounds", "2", "--epochs", "1", "--criterion", "taylor"];
    const args = ["--granularity", "structured", "--target-macs", "50%", ...rounds, ...data, "-o", out, "--json"];
    const { code, stdout, stderr } = await espalier(["prune", model, ...args]);
    expect(stderr).toMatch(/prune-round-2 {2}epoch 1\/1 {2}sparsity/);
    expect(code).toBe(0);
    const { before, after, rounds: records, missed } = JSON.parse(stdout);
    expect(after.macs).toBeLessThanOrEqual(before.macs / 2);
    expect(after.accuracy).toBeGreaterThan(before.accuracy - 0.1);
    expect(records).toHaveLength(1);
    expect(missed).toBeNull();
    expect(readdirSync(folder()).sort()).toContain("cut.onnx");
    expect(readdirSync(folder())).not.toContain("cut.onnx.checkpoint");
  });

  it("trains sparsely before each cut", async () => {
    const [data, out] = [join(folder(), "data.mjs"), join(folder(), "cut.onnx")];
    const inputs =
      "inputs: { data: Float32Array.from({ length: 64 * 192 }, (_, i) => Math.sin(i)), dims: [64, 3, 8, 8] }";
    writeFileSync(data, `export default { ${inputs}, labels: Array.from({ length: 64 }, (_, i) => i % 4) };\n`);
    const lasso = ["--lasso-epochs", "2", "--lasso", "1000", "--epochs", "0", "--batch", "16", "--data", data];
    const rounds = ["--schedule", "iterative", "--rounds", "2"];
    const args = ["--granularity", "filter", "--sparsity", "0.5", ...rounds, ...lasso, "-o", out, "--json"];
    const { code, stderr } = await espalier(["prune", network(), ...args]);
    expect(stderr.match(/prune-\S+ {2}epoch \d\/\d/g)).toEqual([
      "prune-lasso-1  epoch 1/2",
      "prune-lasso-1  epoch 2/2",
      "prune-lasso-2  epoch 1/2",
      "prune-lasso-2  epoch 2/2",
    ]);
    expect(code).toBe(0);
    // Nothing holds up what is pulled so hard.
    const weights = ["a", "fc"].map((name) => constantOf(readModel(out).graph.find(name) ?? null));
    const [filters, last] = weights.map((tensor) => (tensor ? toFloat32(tensor) : new Float32Array()));
    expect(filters.length).toBe(8 * 27);
    expect(filters.every((weight) => weight === 0)).toBe(true);
    expect(last.some((weight) => Math.abs(weight) > 0.1)).toBe(true);
  });

  it("cuts within heads when asked to", async () => {
    const path = join(folder(), "attention.onnx");
    const net = new ResidualNet(91);
    writeModel(net.output(net.attention(net.input(["batch", 4, 32]), "a", 32)), path, {});
    const args = ["--granularity", "head-dim", "--sparsity", "0.5", "-o", join(folder(), "small.onnx"), "--json"];
    const { code, stdout } = await espalier(["prune", path, ...args]);
    expect(code).toBe(0);
    const set = { unit: "head-dim", groups: 16, removed: 8 };
    expect(JSON.parse(stdout).sets).toMatchObject([set, set]);
  });

  it("cuts the width of a residual stream when asked to, and shows it before", async () => {
    const [path, out] = [join(folder(), "block.onnx"), join(folder(), "narrow.onnx")];
    const net = new ResidualNet(92);
    const x = net.linear(net.input(["batch", 4, 5]), "embed", 5, 32);
    const y = net.norm(
      net.residual("add", x, (each) => net.feedForward(each, "ff", 32)),
      "norm",
      32,
    );
    writeModel(net.output(net.linear(y, "out", 32, 3)), path, {});
    const listed = await espalier(["inspect", path, "--granularity", "width", "--json"]);
    expect(JSON.parse(listed.stdout).sets).toMatchObject([{ unit: "width", groups: 32 }, { unit: "neuron" }]);
    const { code, stdout } = await espalier([
      "prune",
      path,
      "--granularity",
      "width",
      "--sparsity",
      "0.4",
      "-o",
      out,
      "--json",
    ]);
    expect(code).toBe(0);
    const { sets, differences } = JSON.parse(stdout);
    // 20 of 32 would stay: of multiples of 8 it is 24. The neurons of the feed-forward layer all do.
    expect(sets).toMatchObject([
      { unit: "width", groups: 32, removed: 8 },
      { unit: "neuron", groups: 64, removed: 0 },
    ]);
    expect(Object.values<number>(differences).every((difference) => difference < 1e-4)).toBe(true);
    const { graph } = readModel(out);
    const dims = ["embed", "ff.up", "ff.down", "norm.scale", "out"].map(
      (name) => constantOf(graph.find(name) ?? null)?.dims,
    );
    expect(dims).toEqual([[5, 24], [24, 64], [64, 24], [24], [24, 3]]);
  });

  it("shows what would go and writes nothing", async () => {
    const { code, stdout } = await espalier([
      "prune",
      network(),
      "--granularity",
      "filter",
      "--sparsity",
      "0.5",
      "--dry-run",
    ]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/a +filter +16 +8 +50\.00 %/);
    // 1124 parameters: 8 filters fewer are 8 x (27 + 1 + 32) = 480, then 16 of b are 16 x (8 + 1 + 4) = 208.
    expect(stdout).toContain(`what stays: ${((100 * (1124 - 480 - 208)) / 1124).toFixed(2)} % of the parameters, `);
  });

  it("says that the cut was proven, and leaves alone what is ignored, whatever share it is given too", async () => {
    const out = join(folder(), "proven.onnx");
    const both = ["--ignore", "a*", "--layer-sparsity", "a*=0.5"];
    const { stdout } = await espalier([
      ...["prune", network(), "--granularity", "filter", "--sparsity", "0.5", ...both, "-o", out],
    ]);
    expect(stdout).toMatch(/^proven +cut and masked network (differ by \d\.\de-\d+ of|give the same)/m);
    const { graph } = readModel(out);
    expect(constantOf(graph.find("a") ?? null)?.dims).toEqual([16, 3, 3, 3]);
    expect(constantOf(graph.find("b") ?? null)?.dims).toEqual([16, 16, 1, 1]);
  });

  it.each([
    [
      ["--granularity", "head", "--sparsity", "0.5", "-o", "x.onnx"],
      1,
      "there is no head in the model that can be cut",
    ],
    [["--granularity", "filter", "-o", "x.onnx"], 2, "it is not said how much should go"],
    [["--granularity", "filter", "--sparsity", "0.5"], 2, "it is not said where to write"],
    [["--granularity", "filter", "--sparsity", "1.2", "-o", "x.onnx"], 2, "a sparsity is at least 0"],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "-o", "x.onnx", "--criterion", "movement"],
      2,
      "does not judge whole units",
    ],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "--max-drop", "1", "-o", "x.onnx"],
      2,
      "there is more than one goal",
    ],
    [["--granularity", "filter", "--target-macs", "200%", "-o", "x.onnx"], 2, "Expected a number such as 300M"],
    [
      ["--granularity", "filter", "--target-macs", "20", "-o", "x.onnx"],
      3,
      "the target is 20, the least that can be left",
    ],
    [["--granularity", "filter", "--target-macs", "20", "-o", "x.onnx"], 3, "rounded to multiples of 8"],
    [["--granularity", "filter", "--target-macs", "0.5", "-o", "x.onnx"], 2, "For a share give 50%."],
    [["--sparsity", "0.5", "--criterion", "l1", "-o", "x.onnx"], 2, "Give --granularity as well"],
    [["--granularity", "filter", "--sparsity", "0.5", "--epochs", "3", "-o", "x.onnx"], 2, "nothing to train with"],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "--rewind", "x", "-o", "x.onnx"],
      2,
      "--rewind: says nothing about",
    ],
    [["--granularity", "filter", "--sparsity", "0.5", "--rounds", "3", "-o", "x.onnx"], 2, "Give --schedule iterative"],
    [["--granularity", "filter", "--sparsity", "0.5", "--criterion", "taylor", "-o", "x.onnx"], 2, "looks at data"],
    [
      ["--sparsity", "0.5", "-o", "x.onnx", "--round-to", "4"],
      2,
      "--round-to: says nothing about --granularity weight",
    ],
    [["--sparsity", "0.5"], 2, "it is not said where to write"],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "--criterion", "bn-scale", "-o", "x.onnx"],
      2,
      "criterion bn-scale: it says nothing of any layer that may lose units. Take another one, such as l1.",
    ],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "-o", "x.onnx", "--report", "cut.html"],
      2,
      "--report: the report of this kind of pruning is JSON. Name it FILE.json.",
    ],
    [
      ["--sparsity", "0.5", "-o", "x.onnx", "--report", "page.json"],
      2,
      "--report: the report of this kind of pruning is HTML. Name it FILE.html.",
    ],
    [["--sparsity", "0.5", "-o", "x.onnx", "--refit"], 2, "--refit: says nothing about --granularity weight"],
    [
      ["--granularity", "filter", "--sparsity", "0.5", "-o", "x.onnx", "--lasso-epochs", "1"],
      2,
      "nothing to train with",
    ],
    [
      [
        "--granularity",
        "filter",
        "--sparsity",
        "0.5",
        "-o",
        "x.onnx",
        "--lasso",
        "0.1",
        "--data",
        "fashion-mnist-small",
      ],
      2,
      "--lasso: it is not said for how long units are pulled towards 0. Give --lasso-epochs.",
    ],
    [["--sparsity", "0.5", "-o", "x.onnx", "--lasso", "0.1"], 2, "--lasso: says nothing about --granularity weight"],
    [["--granularity", "filter", "--max-drop", "1", "--dry-run"], 2, "shows only when it is tried"],
  ])("refuses %j", async (args, expected, message) => {
    const { code, stderr } = await espalier(["prune", network(), ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });
});

describe("inspect --groups", () => {
  it("shows what hangs together and what is frozen", async () => {
    const { code, stdout } = await espalier(["inspect", network(), "--groups"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/a +filter +16 /);
    expect(stdout).toMatch(/a axis 1 +1 +'input' is an input of the model$/m);
  });
});
