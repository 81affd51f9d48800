import { EspalierError, quoted } from "../base/errors.js";
import type { Graph, Node, Value } from "../graph/ir.js";
import { mainOutput } from "../graph/main-output.js";
import { ancestors, readsOf, topologicalOrder } from "../graph/walk.js";
import type { Gradient } from "../ops/define.js";
import { opOf } from "../ops/registry.js";
import { learnableConstants } from "./learnable.js";

/** A node that keeps gradients from reaching weights behind it. */
export interface Obstacle {
  node: Node;
  reason: string;
}

/** What training can change in a graph. */
export interface Trainability {
  /** The constants that a gradient of the first output reaches. */
  trainable: readonly Value[];
  /** Those that it does not reach, each with the node that is in the way. */
  blocked: readonly { value: Value; obstacle: Obstacle }[];
}

type Reach = "reached" | Obstacle;

/**
 * Throws `unsupported`, and names what to freeze, where the way from the loss to a tensor that is to be trained leads
 * through an operator without a gradient.
 */
export function assertTrainable(graph: Graph, loss: Value, trained: readonly Value[]): void {
  const lost = findTrainable(graph, loss).blocked.filter(
    ({ value, obstacle }) => trained.includes(value) && obstacle.reason !== stopReason,
  );
  if (lost.length === 0) return;
  const { node, reason } = lost[0].obstacle;
  const names = lost.flatMap(({ value, obstacle }) => (obstacle.node === node ? [value.name] : []));
  const listed = names.slice(0, 4).map(quoted).join(", ");
  throw new EspalierError("unsupported", `no gradient passes here: ${reason}`, {
    who: node.label,
    hint: `Freeze the layers before it: ${listed}${names.length > 4 ? ` and ${names.length - 4} more` : ""}.`,
  });
}

/**
 * Follows the gradient of a value, the first output by default, backward without running anything. A constant is trainable when a gradient
 * arrives and no way to it leads through an operator without a gradient rule: `emitGradients` would refuse that one.
 */
export function findTrainable(graph: Graph, output = mainOutput(graph)): Trainability {
  const behind = ancestors([output]);
  const reach = new Map<Value, Reach>([[output, "reached"]]);
  for (const node of topologicalOrder(graph).reverse()) {
    const arriving = node.outputs.flatMap((value) => (value && reach.get(value)) ?? []);
    if (arriving.length === 0) continue;
    const passed = pass(node, mergeAll(arriving));
    for (const read of readsOf(node)) reach.set(read, merge(reach.get(read), passed));
  }
  const trainable: Value[] = [];
  const blocked: { value: Value; obstacle: Obstacle }[] = [];
  for (const value of learnableConstants(graph)) {
    const state = reach.get(value);
    if (!behind.has(value) || state === undefined) continue;
    if (state === "reached") trainable.push(value);
    else blocked.push({ value, obstacle: state });
  }
  return { trainable, blocked };
}

const unknown: Gradient = { kind: "none", reason: "espalier does not know this operator" };

/** What arrives at the inputs of a node when `arriving` is what its outputs get. */
function pass(node: Node, arriving: Reach): Reach {
  const gradient = opOf(node)?.gradient ?? unknown;
  if (gradient.kind === "stop") return { node, reason: stopReason };
  if (arriving !== "reached" || gradient.kind !== "none") return arriving;
  return { node, reason: gradient.reason };
}

const stopReason = "its result does not change smoothly with its inputs";

/** An operator without a rule on any way spoils it; one that stops gradients only matters when there is no other way. */
function merge(a: Reach | undefined, b: Reach): Reach {
  if (a === undefined || a === b) return b;
  const isStop = (state: Reach) => state !== "reached" && state.reason === stopReason;
  if (a === "reached") return isStop(b) ? a : b;
  if (b === "reached") return isStop(a) ? b : a;
  return isStop(a) ? b : a;
}

function mergeAll(states: readonly Reach[]): Reach {
  return states.reduce((a, b) => merge(a, b));
}
