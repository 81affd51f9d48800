import { describe, expect, it } from "vitest";
import { Net } from "../../../test/support/cut-model.js";
import { someOf } from "../../../test/support/prove-cut.js";
import { randomStream } from "../../base/random.js";
import { floatTensor, fromFloat32, toFloat32 } from "../../base/tensor.js";
import { constantOf } from "../../graph/constant.js";
import { setConstant } from "../../graph/edit.js";
import { nodeEngine } from "../../run/node.js";
import { buildGroups, exampleSizes } from "./build-groups.js";
import { cut } from "./cut.js";
import { verifyCut } from "./verify.js";

const seed = 62;

describe("the proof", () => {
  /** A steep function of what is computed: rounding there shows a thousand times as large in the output. */
  const steep = async () => {
    const net = new Net(seed);
    const h = net.b.emit("Relu", [net.linear(net.input([64, 32]), "a", 32, 64)]);
    const sum = net.b.emit("ReduceSum", [h, net.b.ints([-1])]);
    const wide = net.b.emit("Mul", [sum, net.b.scalar(5000)]);
    const grouping = await buildGroups(net.output(net.b.emit("Sin", [wide])), { engine: nodeEngine });
    const removed = someOf(grouping, 0.5, randomStream(seed, "cut"));
    return { grouping, removed, feeds: exampleSizes(grouping.model)[0], after: cut(grouping, removed) };
  };

  it("looks at what a node reads that lost nothing, where its outputs differ", async () => {
    const { grouping, removed, feeds, after } = await steep();
    const proof = await verifyCut(grouping, removed, feeds, nodeEngine, after);
    expect(Object.keys(proof.differences).some((name) => name.startsWith("Sin"))).toBe(false);
    expect(Object.values(proof.differences).every((difference) => difference < 1e-4)).toBe(true);
  });

  it.each([
    ["float", 1e-5, 1e-3],
    ["float16", 1e-3, 5e-2],
  ] as const)("bears the roundings of %s, and no more", async (dtype, borne, refused) => {
    const net = new Net(seed);
    const random = randomStream(seed, dtype);
    const weight = (name: string, dims: readonly number[]) =>
      net.b.constant(
        fromFloat32(
          dtype,
          dims,
          Float32Array.from({ length: 64 }, () => random.normal()),
        ),
        name,
      );
    const h = net.b.emit("MatMul", [net.b.input("input", dtype, [4, 8]), weight("a", [8, 8])]);
    const grouping = await buildGroups(net.output(net.b.emit("MatMul", [h, weight("b", [8, 8])])), {
      engine: nodeEngine,
    });
    const removed = someOf(grouping, 0.5, randomStream(seed, "cut"));
    const scaledBy = async (factor: number) => {
      const after = cut(grouping, removed);
      const b = after.graph.find("b");
      const tensor = constantOf(b ?? null);
      if (!b || !tensor) throw new Error("no b");
      setConstant(
        b,
        fromFloat32(
          dtype,
          tensor.dims,
          toFloat32(tensor).map((w) => w * factor),
        ),
      );
      return verifyCut(grouping, removed, exampleSizes(grouping.model)[0], nodeEngine, after);
    };
    expect(Object.values((await scaledBy(1 + borne)).differences).every((difference) => difference > 0)).toBe(true);
    await expect(scaledBy(1 + refused)).rejects.toThrow(/gives another/);
  });

  it("still finds a weight that is wrong there", async () => {
    const { grouping, removed, feeds, after } = await steep();
    const weight = after.graph.find("a");
    const tensor = constantOf(weight ?? null);
    if (!weight || !tensor) throw new Error("no a");
    setConstant(
      weight,
      floatTensor(
        tensor.dims,
        toFloat32(tensor).map((w) => w * 1.01),
      ),
    );
    await expect(verifyCut(grouping, removed, feeds, nodeEngine, after), `seed ${seed}`).rejects.toThrow(
      /the cut network gives another 'ReduceSum.*' than the masked one/,
    );
  });
});
