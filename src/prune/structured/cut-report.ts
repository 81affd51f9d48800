import { constants } from "../../graph/constant.js";
import { bodiesOf, type Graph, type Node } from "../../graph/ir.js";
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
  /**
   * Of such a vector, and of each of its copies, the nodes that read it, by what they give first: {"b": ["y"]} says that
   * the node that computes y reads b with what `tensors` says of b, and other nodes that read b do not.
   */
  readers: Readonly<Record<string, readonly string[]>>;
  /** Of weights in bodies the nodes and attributes around them, as in `If_0.else_branch`; other bodies may use the name. */
  bodies: Readonly<Record<string, string>>;
}

export function reportCut(grouping: Grouping, removed: ReadonlySet<Group>): CutReport {
  const tensors: Record<string, AxisReport[]> = {};
  const bodies: Record<string, string> = {};
  const readers: Record<string, string[]> = {};
  const shared = new Set([...grouping.copies].flat());
  for (const { value, tensor } of constants(grouping.model.graph)) {
    const axes = grouping
      .keeps(value, removed)
      .flatMap((keep, axis) => (keep ? [{ axis, size: tensor.dims[axis], keep }] : []));
    if (axes.length === 0) continue;
    tensors[value.name] = axes;
    if (value.graph.owner) bodies[value.name] = pathOf(value.graph);
    if (shared.has(value.name)) readers[value.name] = [...value.uses].map(firstOutputOf);
  }
  const copies = [...grouping.copies].filter(([copy]) => copy in tensors);
  return { tensors, copies: Object.fromEntries(copies), readers, bodies };
}

function firstOutputOf({ outputs }: Node): string {
  return outputs.find((output) => output !== null)?.name ?? "";
}

/** Where a body lies: `If_0.else_branch`, `Loop_1.body.If_0.then_branch`. A node without a name goes by what it gives. */
function pathOf(body: Graph): string {
  const parts: string[] = [];
  for (let graph: Graph = body; graph.owner; graph = graph.owner.graph) {
    const { owner } = graph;
    const holder = [...owner.attributes].find(([, attribute]) => bodiesOf(attribute).includes(graph));
    parts.unshift(owner.name || firstOutputOf(owner), holder?.[0] ?? "");
  }
  return parts.join(".");
}
