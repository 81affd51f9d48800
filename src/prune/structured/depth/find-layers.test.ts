import { describe, expect, it } from "vitest";
import { ResidualNet } from "../../../../test/support/residual-nets.js";
import { expectSameOutputs, runModel } from "../../../../test/support/run-model.js";
import { addGraphOutput } from "../../../graph/edit.js";
import type { Model, Value } from "../../../graph/ir.js";
import { nodeEngine } from "../../../run/node.js";
import { prepareModel } from "../../../train/prepare.js";
import { exampleSizes } from "../build-groups.js";
import { traceSizes } from "../prepare.js";
import { type DepthKind, findLayers } from "./find-layers.js";
import { removeLayers, verifyLayers } from "./remove-layers.js";

const seed = 110;
const size = 8;
const tokens = ["batch", 5, size] as const;
const image = ["batch", 4, 6, 6] as const;

async function found(model: Model, kind: DepthKind = "layer") {
  const prepared = prepareModel(model);
  const examples = exampleSizes(prepared);
  const trace = await traceSizes(prepared, [() => examples[0]], nodeEngine);
  return { model: prepared, trace, examples, layers: findLayers(prepared, trace, kind) };
}

const namesOf = async (model: Model, kind?: DepthKind) =>
  (await found(model, kind)).layers.map(({ name, attention }) => (attention ? `${name} (attention)` : name));

/**
 * Takes each layer and all of them out, proves it by the masked model, and compares with the network built without them,
 * at two sizes.
 */
async function proven(build: (without: readonly string[]) => Model, kind?: DepthKind): Promise<void> {
  const { model, trace, examples, layers } = await found(build([]), kind);
  for (const gone of [...layers.map((layer) => [layer]), layers]) {
    const cut = removeLayers(model, gone);
    const never = build(gone.flatMap(({ bypasses }) => bypasses.map(({ output }) => output.name)));
    for (const example of examples) {
      await verifyLayers({ model, trace }, gone, example, nodeEngine, cut);
      expectSameOutputs(await runModel(cut, example), await runModel(prepareModel(never), example), 1e-5);
    }
    expect([...cut.graph.initializers()].map(({ name }) => name)).not.toContain([...gone[0].weights][0].name);
  }
}

/** Two blocks, normalized before or after. */
function transformer(without: readonly string[], { post = false, masked = false } = {}): Model {
  const net = new ResidualNet(seed, without);
  const input = net.input(tokens);
  const mask = masked ? net.b.emit("Relu", [net.linear(net.input(["batch", 1, 5, 5], "mask"), "m", 5, 5)]) : null;
  let x = net.linear(input, "embed", size, size);
  for (const block of ["a", "b"]) {
    for (const part of ["attention", "mlp"]) {
      const name = `${block}.${part}`;
      const branch = (value: Value) =>
        part === "mlp" ? net.feedForward(value, name, size) : net.attention(value, name, size, mask);
      x = net.residual(name, x, (value) => branch(post ? value : net.norm(value, `${name}.norm`, size)));
      if (post) x = net.norm(x, `${name}.norm`, size);
    }
  }
  return net.output(net.linear(x, "head", size, 3));
}

describe("layers", () => {
  it("of a transformer that normalizes before, attention and feed-forward; no activation's own sum", async () => {
    const names = ["a.attention (attention)", "a.mlp", "b.attention (attention)", "b.mlp"];
    expect(await namesOf(transformer([]))).toEqual(names);
    await proven(transformer);
  });

  it("of a transformer that normalizes after: the normalization stays", async () => {
    const post = (without: readonly string[]) => transformer(without, { post: true });
    expect(await namesOf(post([]))).toHaveLength(4);
    await proven(post);
    const { model, layers } = await found(post([]));
    const cut = removeLayers(model, layers);
    expect([...cut.graph.nodes].filter(({ type }) => type === "LayerNormalization")).toHaveLength(4);
  });

  it("with a mask that all of them read: it leaves with the last of its readers", async () => {
    const masked = (without: readonly string[]) => transformer(without, { masked: true });
    await proven(masked);
    const { model, layers } = await found(masked([]));
    const holds = (gone: typeof layers) => removeLayers(model, gone).graph.find("m") !== undefined;
    expect([...layers[0].weights].map(({ name }) => name)).not.toContain("m");
    expect([holds([layers[0]]), holds([layers[0], layers[2]])]).toEqual([true, false]);
  });

  it("of a residual CNN: blocks with an identity, not those with a projection", async () => {
    const build = (without: readonly string[]) => {
      const net = new ResidualNet(seed, without);
      const body = (name: string, outputs: number) => (x: Value) => {
        const h = net.b.emit("Relu", [net.conv(x, `${name}.1`, 4, 6, { kernel: 3 })]);
        return net.conv(h, `${name}.2`, 6, outputs, { kernel: 3 });
      };
      let x = net.conv(net.input(image), "stem", 4, 4);
      x = net.b.emit("Relu", [net.residual("one", x, body("one", 4))]);
      x = net.b.emit("Relu", [net.residual("two", x, body("two", 4), (skip, branch) => [branch, skip])]);
      x = net.b.emit("Add", [net.conv(x, "projection", 4, 6), body("three", 6)(x)], {}, "three");
      return net.output(net.conv(x, "head", 6, 2));
    };
    expect(await namesOf(build([]))).toEqual(["one", "two"]);
    await proven(build);
  });

  it("that are scaled, gated, summed from several branches, or given by the model", async () => {
    const net = new ResidualNet(seed);
    const x = net.input(tokens);
    const scaled = net.b.emit("Add", [x, net.layerScale(net.linear(x, "a", size, size), size)], {}, "scaled");
    const gate = net.b.emit("Sigmoid", [net.linear(scaled, "gate", size, size)]);
    const gated = net.b.emit("Mul", [gate, net.linear(scaled, "b", size, size)]);
    const second = net.b.emit("Add", [gated, scaled], {}, "gated");
    const [c, d] = ["c", "d"].map((name) => net.linear(second, name, size, size));
    const model = net.output(net.b.emit("Sum", [c, second, d], {}, "sum"));
    expect(await namesOf(model)).toEqual(["scaled", "gated", "sum"]);
    const { model: prepared, trace, layers, examples } = await found(model);
    for (const gone of [[layers[2]], [layers[0], layers[1]], layers]) {
      const cut = removeLayers(prepared, gone);
      await verifyLayers({ model: prepared, trace }, gone, examples[0], nodeEngine, cut);
      expect(cut.graph.outputs.map(({ name }) => name)).toEqual(["sum"]);
    }
    // All gone: the model hands its input on.
    const { sum } = await runModel(removeLayers(prepared, layers), examples[0]);
    expect(sum.array).toEqual(examples[0].input.array);
  });

  it("whose values others read: these stay, and what only the sum needed leaves", async () => {
    const net = new ResidualNet(seed);
    const x = net.linear(net.input(tokens), "embed", size, size);
    const inner = net.linear(x, "inner", size, size);
    const y = net.b.emit("Add", [x, net.linear(net.b.emit("Relu", [inner]), "outer", size, size)], {}, "y");
    addGraphOutput(net.model.graph, inner);
    const { model, trace, layers, examples } = await found(net.output(y));
    expect(layers.map(({ weights }) => [...weights].map(({ name }) => name).sort())).toEqual([["outer", "outer.bias"]]);
    const cut = removeLayers(model, layers);
    await verifyLayers({ model, trace }, layers, examples[0], nodeEngine, cut);
    expect(cut.graph.find("inner")).toBeDefined();
  });

  it("are none where others need all of the branch, where nothing is multiplied, and in a DenseNet", async () => {
    const net = new ResidualNet(seed);
    const x = net.conv(net.input(image), "stem", 4, 4);
    const branch = net.conv(x, "a", 4, 4);
    const y = net.b.emit("Add", [x, branch]);
    const dense = net.conv(net.concat(1, y, branch), "b", 8, 4);
    const z = net.b.emit("Add", [dense, net.b.emit("Sigmoid", [dense])]);
    expect(await namesOf(net.output(net.b.emit("Add", [z, net.conv(y, "side", 4, 4)])))).toEqual([]);
  });

  it("are not broadcast sums, biases and sums of two branches", async () => {
    const net = new ResidualNet(seed);
    const x = net.conv(net.input(image), "stem", 4, 1);
    const wide = net.b.emit("Add", [x, net.conv(x, "wide", 1, 4)]);
    const branches = net.b.emit("Add", [net.conv(wide, "left", 4, 4), net.conv(wide, "right", 4, 4)]);
    const biased = net.b.emit("Add", [branches, net.weight("bias", [1, 4, 1, 1])]);
    expect(await namesOf(net.output(biased))).toEqual([]);
  });
});

describe("blocks", () => {
  it("are attention with the feed-forward after it", async () => {
    for (const post of [false, true]) {
      const build = (without: readonly string[]) => transformer(without, { post });
      expect(await namesOf(build([]), "block")).toEqual(["a.mlp (attention)", "b.mlp (attention)"]);
      await proven(build, "block");
    }
  });

  it("of a decoder have both attentions; the encoder's output stays for the others", async () => {
    const build = (without: readonly string[]) => {
      const net = new ResidualNet(seed, without);
      const encoded = net.linear(net.input(["batch", 7, size], "source"), "encoder", size, size);
      let x = net.linear(net.input(tokens), "embed", size, size);
      for (const block of ["a", "b"]) {
        x = net.residual(`${block}.self`, x, (y) => net.attention(y, `${block}.self`, size));
        x = net.residual(`${block}.cross`, x, (y) => net.attention(y, `${block}.cross`, size, null, encoded));
        x = net.residual(`${block}.mlp`, x, (y) => net.feedForward(y, `${block}.mlp`, size));
      }
      return net.output(net.linear(x, "head", size, 3));
    };
    expect(await namesOf(build([]), "block")).toEqual(["a.mlp (attention)", "b.mlp (attention)"]);
    const { layers } = await found(build([]), "block");
    expect(layers.map(({ bypasses }) => bypasses.length)).toEqual([3, 3]);
    const names = [...layers[0].weights].map(({ name }) => name);
    expect(names).toContain("a.cross.k");
    expect(names).not.toContain("encoder");
    await proven(build, "block");
  });

  it("around layers: the smallest ones are layers, the one around them a block", async () => {
    const build = (without: readonly string[]) => {
      const net = new ResidualNet(seed, without);
      const inner = (name: string) => (x: Value) =>
        net.b.emit("Relu", [net.conv(x, `${name}.conv`, 4, 4, { kernel: 3 })]);
      let x = net.conv(net.input(image), "stem", 4, 4);
      for (const block of ["a", "b"]) {
        x = net.residual(block, x, (y) => {
          const first = net.residual(`${block}.1`, y, inner(`${block}.1`));
          const second = net.residual(`${block}.2`, first, inner(`${block}.2`));
          return net.conv(second, `${block}.out`, 4, 4);
        });
      }
      return net.output(net.conv(x, "head", 4, 2));
    };
    expect(await namesOf(build([]))).toEqual(["a.1", "a.2", "b.1", "b.2"]);
    expect(await namesOf(build([]), "block")).toEqual(["a", "b"]);
    await proven(build);
    await proven(build, "block");
  });

  it("of a network without attention are its layers", async () => {
    const net = new ResidualNet(seed);
    let x = net.input(tokens);
    for (const name of ["a", "b"]) x = net.residual(name, x, (y) => net.feedForward(y, name, size));
    expect(await namesOf(net.output(x), "block")).toEqual(["a", "b"]);
  });
});

describe("the proof of a bypass", () => {
  it("refuses another network than the masked one", async () => {
    const { model, trace, layers, examples } = await found(transformer([]));
    const wrong = removeLayers(model, [layers[0], layers[1]]);
    const proof = verifyLayers({ model, trace }, [layers[0]], examples[0], nodeEngine, wrong);
    await expect(proof).rejects.toThrow(/the cut network gives another/);
  });

  it("bears branches that are infinite", async () => {
    const net = new ResidualNet(seed);
    const x = net.linear(net.input(tokens), "embed", size, size);
    const huge = net.b.emit("Exp", [net.b.emit("Mul", [net.linear(x, "a", size, size), net.b.scalar(1e6)])]);
    const { model, trace, layers, examples } = await found(net.output(net.b.emit("Add", [x, huge])));
    const { differences } = await verifyLayers({ model, trace }, layers, examples[0], nodeEngine);
    expect(Object.values(differences)).toEqual([0]);
  });
});
