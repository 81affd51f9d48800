import { attr } from "../graph/attribute.js";
import type { OpCase } from "./op.cases.js";

function einsum(equation: string, ...dims: readonly (readonly number[])[]): OpCase {
  return {
    op: "Einsum",
    name: equation,
    build: (c) =>
      c.emit(
        "Einsum",
        dims.map((each) => c.float(each)),
        { equation: attr.string(equation) },
      ),
  };
}

export const einsumCases: readonly OpCase[] = [
  einsum("ij,jk->ik", [3, 4], [4, 5]),
  einsum("ij, jk", [3, 4], [4, 5]),
  einsum("bij,bkj->bik", [2, 3, 4], [2, 5, 4]),
  einsum("bsd,dnh->bsnh", [2, 3, 4], [4, 2, 5]),
  einsum("bsnh,nhd->bsd", [2, 3, 2, 5], [2, 5, 4]),
  einsum("bsnh,btnh->bnst", [2, 3, 4, 2], [2, 5, 4, 2]),
  einsum("...ij,...jk->...ik", [2, 3, 4], [2, 4, 5]),
  einsum("...ij,...jk", [2, 3, 4], [1, 4, 5]),
  einsum("...i,i...->...", [3, 4], [4, 3]),
  einsum("i,j->ij", [3], [4]),
  einsum("i,i->", [4], [4]),
  einsum("ij->ji", [3, 4]),
  einsum("ijk->j", [2, 3, 4]),
  einsum("ij,kj->k", [3, 4], [5, 4]),
  einsum("iij->ij", [3, 3, 4]),
  einsum("ij,jk,kl->il", [2, 3], [3, 4], [4, 5]),
  einsum("ba,a->b", [3, 4], [4]),
];
