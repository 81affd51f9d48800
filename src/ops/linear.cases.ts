import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

function matMul(name: string, a: readonly number[], b: readonly number[]): OpCase {
  return { op: "MatMul", name, build: (c) => c.emit("MatMul", [c.float(a), c.float(b)]) };
}

function gemm(transA: number, transB: number, bias: readonly number[] | null): OpCase {
  return {
    op: "Gemm",
    name: `transA ${transA}, transB ${transB}, bias ${bias ? `[${bias}]` : "none"}`,
    build: (c) => {
      const a = c.float(transA ? [4, 3] : [3, 4]);
      const b = c.float(transB ? [5, 4] : [4, 5]);
      const attributes = {
        transA: attr.int(transA),
        transB: attr.int(transB),
        alpha: attr.float(0.7),
        beta: attr.float(1.3),
      };
      return c.emit("Gemm", bias ? [a, b, c.float(bias)] : [a, b], attributes);
    },
  };
}

export const linearCases: readonly OpCase[] = [
  gemm(0, 0, [5]),
  gemm(0, 1, [3, 1]),
  gemm(1, 0, [1, 5]),
  gemm(1, 1, [3, 5]),
  gemm(0, 0, []),
  gemm(0, 1, null),
  matMul("matrices", [3, 4], [4, 5]),
  matMul("batch times matrix", [2, 3, 4], [4, 5]),
  matMul("two batch axes times matrix", [2, 2, 3, 4], [4, 5]),
  matMul("matrix times batch", [3, 4], [2, 4, 5]),
  matMul("equal batches", [2, 3, 4], [2, 4, 5]),
  matMul("batches broadcast on both sides", [2, 1, 3, 4], [3, 4, 5]),
  matMul("vector times matrix", [4], [4, 5]),
  matMul("matrix times vector", [3, 4], [4]),
  matMul("vector times vector", [4], [4]),
  matMul("batch times vector", [2, 3, 4], [4]),
  matMul("vector times batch", [4], [2, 4, 5]),
  {
    op: "MatMul",
    name: "a tensor with itself",
    build: (c) => {
      const x = c.float([3, 3]);
      return c.emit("MatMul", [x, x]);
    },
  },
];
