import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readModel, writeModel } from "../../src/onnx/file.js";
import { ResidualNet } from "../support/residual-nets.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { assertBuilt, espalier } from "./run.js";

assertBuilt();
const folder = temporaryFolder();
const size = 8;

/** Two blocks over tokens; the second one's weights are small, so that it does little to what it is given. */
function network(): string {
  const path = join(folder(), "net.onnx");
  const net = new ResidualNet(130);
  let x = net.linear(net.input(["batch", 4, size]), "embed", size, size);
  for (const block of ["a", "b"]) {
    const faint = (value: typeof x) => (block === "a" ? value : net.b.emit("Mul", [value, net.b.scalar(0.01)]));
    x = net.residual(`${block}.mix`, x, (y) => faint(net.attention(y, `${block}.attention`, size)));
    x = net.residual(`${block}.feed`, x, (y) => faint(net.feedForward(y, `${block}.mlp`, size)));
  }
  writeModel(net.output(net.linear(x, "head", size, 2)), path, {});
  return path;
}

/** A module that yields 40 examples without labels. */
function data(): string {
  const path = join(folder(), "data.mjs");
  const example = `Array.from({ length: 4 }, (_, t) => Array.from({ length: ${size} }, (_, i) => Math.sin(e + t * i)))`;
  writeFileSync(path, `export default { inputs: Array.from({ length: 40 }, (_, e) => ${example}) };\n`);
  return path;
}

describe("prune --granularity layer and block", () => {
  it("takes out the block that does least to the data, and reports what is gone", async () => {
    const [model, out, report] = [network(), join(folder(), "small.onnx"), join(folder(), "cut.json")];
    const args = [
      "--granularity",
      "block",
      "--sparsity",
      "0.5",
      "--data",
      data(),
      "--epochs",
      "0",
      "-o",
      out,
      "--report",
      report,
      "--json",
    ];
    const { code, stdout, stderr } = await espalier(["prune", model, ...args]);
    expect(stderr).toBe("");
    expect(code).toBe(0);
    const { before, after, saved, differences, layers } = JSON.parse(stdout);
    expect(layers).toMatchObject([
      { name: "a.feed", removed: false },
      { name: "b.feed", removed: true },
    ]);
    expect(after.parameters).toBe(before.parameters - layers[1].parameters);
    expect(saved.checked).toEqual(["onnxruntime-node", "onnxruntime-web"]);
    expect(Object.values<number>(differences)).toEqual([0]);
    expect(JSON.parse(readFileSync(report, "utf8"))).toEqual({
      layers: [
        { name: "a.feed", removed: false, bypasses: { "a.mix": expect.any(String), "a.feed": "a.mix" } },
        { name: "b.feed", removed: true, bypasses: { "b.mix": "a.feed", "b.feed": "b.mix" } },
      ],
    });
    expect(readModel(out).graph.find("b.mlp.up")).toBeUndefined();
  });

  it("takes layers out in rounds and trains what stays by what the original answers", async () => {
    const [model, out] = [network(), join(folder(), "trained.onnx")];
    const args = [
      ...["--granularity", "layer", "--target-params", "60%", "--schedule", "iterative", "--rounds", "2"],
      ...["--data", data(), "--batch", "8", "--epochs", "1", "-o", out, "--json"],
    ];
    const { code, stdout, stderr } = await espalier(["prune", model, ...args]);
    expect(code).toBe(0);
    expect(stderr.match(/^prune-round-\d .*$/gm)).toHaveLength(2);
    const { before, after, layers, missed } = JSON.parse(stdout);
    expect(after.parameters).toBeLessThanOrEqual(0.6 * before.parameters);
    expect(missed).toBeNull();
    expect(layers.filter(({ removed }: { removed: boolean }) => removed).length).toBeGreaterThan(0);
    expect(readModel(out).graph.find("embed")?.initializer).not.toEqual(
      readModel(model).graph.find("embed")?.initializer,
    );
  });

  it("shows what would go and writes nothing", async () => {
    const args = ["--granularity", "layer", "--sparsity", "0.25", "--criterion", "relative-norm", "--data", data()];
    const { code, stdout } = await espalier(["prune", network(), ...args, "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a\.mix .*\d$/m);
    expect(stdout).toMatch(/^b\.(mix|feed) .* goes$/m);
  });

  it.each([
    [["--sparsity", "0.5"], 2, "it is not said where to write"],
    [["-o", "x.onnx"], 2, "it is not said how much should go"],
    [["--sparsity", "0.2", "-o", "x.onnx"], 2, "that is less than one of 4 layers"],
    [["--sparsity", "0.5", "-o", "x.onnx", "--criterion", "cosine"], 2, "--criterion: cosine looks at data"],
    [
      ["--sparsity", "0.5", "-o", "x.onnx", "--criterion", "fpgm"],
      2,
      "Choose among cosine, relative-norm, l1, l2, random",
    ],
    [["--sparsity", "0.5", "-o", "x.onnx", "--round-to", "8"], 2, "--round-to: says nothing about --granularity layer"],
    [["--sparsity", "0.5", "-o", "x.onnx", "--batch", "8"], 2, "Give --data"],
  ])("refuses %j", async (args, expected, message) => {
    const { code, stderr } = await espalier(["prune", network(), "--granularity", "layer", ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });

  it("is told apart from other granularities by inspect --groups", async () => {
    const { code, stdout } = await espalier(["inspect", network(), "--groups"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^a\.mix +1 +yes /m);
    expect(stdout).toMatch(/^b\.feed +2 +\d/m);
  });
});
