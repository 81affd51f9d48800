import { quoted } from "../../base/errors.js";
import type { Graph } from "../../graph/ir.js";
import type { Trace } from "../../graph/trace.js";
import { allNodes } from "../../graph/walk.js";
import { type Axis, AxisTable } from "../../ops/axis.js";
import { type Contraction, CouplingContext, type Link, opaque, type Statistic } from "../../ops/coupling.js";
import { opOf } from "../../ops/registry.js";
import { FactorTable } from "./factors.js";

/** How the axes of a network hang together. */
export interface LinkedAxes {
  axes: AxisTable;
  factors: FactorTable;
  picks: readonly (Link & { kind: "pick" })[];
  /** The sums over axes. */
  contractions: readonly Contraction[];
  /** The means, norms and the like over axes. */
  statistics: readonly Statistic[];
}

/**
 * Follows the links between axes through every node of a prepared graph.
 * @param width whether axes that a statistic goes over are units of width; else they are bound.
 */
export function linkAxes(graph: Graph, trace: Trace, { width = false } = {}): LinkedAxes {
  const axes = new AxisTable(trace);
  const factors = new FactorTable();
  const picks: (Link & { kind: "pick" })[] = [];
  const contractions: Contraction[] = [];
  const statistics: Statistic[] = [];
  for (const input of graph.inputs) {
    for (const axis of axes.of(input)) factors.bind(axis, `${quoted(input.name)} is an input of the model`);
  }
  for (const output of graph.outputs) {
    for (const axis of axes.of(output)) factors.bind(axis, `${quoted(output.name)} is an output of the model`);
  }
  for (const node of allNodes(graph)) {
    const context = new CouplingContext(node, trace, axes);
    const values = [...node.inputs, ...node.outputs].filter((value) => value !== null);
    const op = opOf(node);
    if (!op) opaque("is an operator that espalier does not know").links(context);
    else if (!values.every((value) => trace.has(value) || !value.isRead)) opaque("was not run").links(context);
    else op.coupling.links(context);
    const said = new Set<Axis>();
    for (const link of context.links) {
      if (link.kind === "pick") {
        picks.push(link);
        said.add(link.from).add(link.to);
      } else if (link.kind === "product") for (const axis of [...link.left, ...link.right]) said.add(axis);
      else said.add(link.axis);
      factors.add(width && link.kind === "statistic" ? { kind: "unit", axis: link.axis, unit: "width" } : link);
    }
    for (const value of values) {
      for (const axis of axes.of(value)) {
        if (!said.has(axis)) factors.bind(axis, `${node.label} does not say what a cut of it would mean`);
      }
    }
    contractions.push(...context.contractions);
    statistics.push(...context.statistics);
  }
  return { axes, factors, picks, contractions, statistics };
}
