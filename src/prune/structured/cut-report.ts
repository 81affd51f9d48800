import { constants } from "../../graph/constant.js";
import { bodiesOf, type Graph } from "../../graph/ir.js";
import type { Group, Grouping } from "./groups.js";

/** What stayed of one axis of a weight. */
export interface AxisReport {
  axis: number;
  /** Positions before the cut. */
  size: number;
  /** Those that stay, in order. */
  keep: readonly number[];
}

/** By name of a weight, in the original's names and indices: enough to repeat the cut, or to mask the original. */
export interface CutReport {
  tensors: Readonly<Record<string, readonly AxisReport[]>>;
  /**
   * Vectors that several nodes shared and that were cut for each of them apart: the original's names by those of the
   * copies in the cut file, under which `tensors` lists them.
   */
  copies: Readonly<Record<string, string>>;
  /** Of weights in bodies the nodes and attributes around them, as in `If_0.else_branch`; other bodies may use the name. */
  bodies: Readonly<Record<string, string>>;
}

export function reportCut(grouping: Grouping, removed: ReadonlySet<Group>): CutReport {
  const tensors: Record<string, AxisReport[]> = {};
  const bodies: Record<string, string> = {};
  for (const { value, tensor } of constants(grouping.model.graph)) {
    const axes = grouping
      .keeps(value, removed)
      .flatMap((keep, axis) => (keep ? [{ axis, size: tensor.dims[axis], keep }] : []));
    if (axes.length === 0) continue;
    tensors[value.name] = axes;
    if (value.graph.owner) bodies[value.name] = pathOf(value.graph);
  }
  const copies = [...grouping.copies].filter(([copy]) => copy in tensors);
  return { tensors, copies: Object.fromEntries(copies), bodies };
}

/** Where a body lies: `If_0.else_branch`, `Loop_1.body.If_0.then_branch`. A node without a name goes by what it gives. */
function pathOf(body: Graph): string {
  const parts: string[] = [];
  for (let graph: Graph = body; graph.owner; graph = graph.owner.graph) {
    const { owner } = graph;
    const holder = [...owner.attributes].find(([, attribute]) => bodiesOf(attribute).includes(graph));
    parts.unshift(owner.name || (owner.outputs.find((output) => output !== null)?.name ?? ""), holder?.[0] ?? "");
  }
  return parts.join(".");
}
