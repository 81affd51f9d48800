import { EspalierError } from "../base/errors.js";
import { attr } from "../graph/attribute.js";
import type { Builder } from "../graph/builder.js";
import { setAttribute, setInput } from "../graph/edit.js";
import type { Node, Value } from "../graph/ir.js";
import { alongOthers, type Coupling, type CouplingContext } from "./coupling.js";
import { defineOp, type Gradient, noMacs, noWeights, rule, withoutWeights } from "./define.js";
import type { GradientContext } from "./gradient-context.js";
import {
  fromAxisGradient,
  groupGradient,
  instanceGradient,
  localResponseGradient,
  lpGradient,
  meanVarianceGradient,
} from "./norm-gradient.js";

/**
 * x * scale + bias for each channel, in one fused pass: onnxruntime's BatchNormalization with mean 0 and variance 1.
 */
function scaleChannels(g: GradientContext, x: Value, scale: Value, bias: Value, channels: number): Value {
  const zeros = g.emit("ConstantOfShape", [g.list([channels])]);
  const ones = g.emit("Exp", [zeros]);
  return g.emit("BatchNormalization", [x, scale, bias, zeros, ones], { epsilon: attr.float(0) });
}

/**
 * y = scale * xhat + bias with xhat = (x - mean) * r, r = 1 / sqrt(variance + epsilon), for each channel.
 * With S = sum of dy and D = sum of dy * (x - mean) over the M elements of a channel:
 *   dscale = D r, dbias = S.
 * Fixed statistics: dx = scale r dy, dmean = -scale r S, dvariance = -scale D r^3 / 2.
 * Batch statistics (training_mode; Ioffe and Szegedy, 2015): mean and variance depend on x too, so that
 *   dx = scale r (dy - S / M - xhat D r / M) = (scale r) dy - k x + c,
 *   k = scale r^3 D / M, c = k mean - scale r S / M: two fused passes and a subtraction.
 */
function batchNormalizationGradient(g: GradientContext): (Value | null)[] {
  const [x, scale, grad] = [g.input(0), g.input(1), g.gradOf(0)];
  const dims = g.dims(x);
  const channels = dims[1];
  const training = g.node.int("training_mode", 0) === 1;
  const axes = g.list(dims.map((_, i) => i).filter((i) => i !== 1));
  const [mean, variance] = training ? batchStatistics(g, axes, channels) : [g.input(3), g.input(4)];
  const sum = (value: Value) => g.emit("ReduceSum", [value, axes], { keepdims: attr.int(0) });
  const deviation = g.emit("Sqrt", [g.add(variance, g.scalar(g.node.float("epsilon", 1e-5)))]);
  const r = g.emit("Reciprocal", [deviation]);
  const slope = g.mul(scale, r);
  const none = g.emit("ConstantOfShape", [g.list([channels])]);
  const fixedInput = () => scaleChannels(g, grad, slope, none, channels);
  if (!training && ![1, 2, 3, 4].some((index) => g.needs(index))) return [fixedInput()];
  const S = sum(grad);
  const D = g.sub(sum(g.mul(grad, x)), g.mul(mean, S));
  const dscale = g.mul(D, r);
  const inputGradient = () => {
    if (!training) return fixedInput();
    const each = g.scalar(channels / dims.reduce((a, b) => a * b, 1));
    const k = g.mul(g.mul(slope, g.mul(dscale, r)), each);
    const c = g.sub(g.mul(k, mean), g.mul(g.mul(slope, S), each));
    return g.sub(scaleChannels(g, grad, slope, c, channels), scaleChannels(g, x, k, none, channels));
  };
  return [
    g.needs(0) ? inputGradient() : null,
    g.needs(1) ? dscale : null,
    g.needs(2) ? S : null,
    g.needs(3) && !training ? g.neg(g.mul(slope, S)) : null,
    g.needs(4) && !training ? g.scale(g.mul(g.mul(slope, dscale), r), -0.5) : null,
  ];
}

/**
 * Mean and variance of the batch. With momentum 0 they are the node's own outputs. They cannot be taken out of the
 * updated ones, momentum * old + (1 - momentum) * batch: onnxruntime has written these over the old.
 */
function batchStatistics(g: GradientContext, axes: Value, channels: number): [Value, Value] {
  if (g.node.float("momentum", 0.9) === 0) return [g.extraOutput(1), g.extraOutput(2)];
  const mean = g.emit("ReduceMean", [g.input(0), axes]);
  const deviation = g.sub(g.input(0), mean);
  const variance = g.emit("ReduceMean", [g.mul(deviation, deviation), axes], { keepdims: attr.int(0) });
  return [g.reshape(mean, [channels]), variance];
}

/** A running statistic of a node, that of the batch, and what a training step makes of both. */
export interface RunningStatistic {
  /** Which input of the node holds the running one. */
  input: number;
  running: Value;
  batch: Value;
  updated: Value;
}

/**
 * Switches a BatchNormalization node to the statistics of the batch, and returns its running mean and variance, updated
 * as the node itself would: momentum * running + (1 - momentum) * batch. Any other node stays as it is and has none.
 *
 * The node is left with momentum 0, so that its outputs are the statistics of the batch, which its gradient needs.
 * onnxruntime writes these outputs over the inputs that hold the running ones, whoever else reads them: so the node
 * gets scratch vectors there. Momentum 0 ignores what they hold; a factor that no other node has, and that is not 1,
 * keeps onnxruntime from merging the scratch of nodes that share their running statistics.
 */
export function useBatchStatistics(builder: Builder, node: Node): readonly RunningStatistic[] {
  if (node.type !== batchNormalization.type || node.domain !== batchNormalization.domain) return [];
  const momentum = node.float("momentum", 0.9);
  setAttribute(node, "training_mode", attr.int(1));
  setAttribute(node, "momentum", attr.float(0));
  return [3, 4].map((index) => {
    const factor = builder.scalar(2 + builder.graph.model.nextId());
    const running = node.inputs[index];
    if (!running) throw new EspalierError("bad-model", `input ${index} is missing`, { who: node.label });
    setInput(node, index, builder.emit("Mul", [running, factor]));
    const batch = node.outputs[index - 2] ?? builder.addOutput(node, index - 2);
    const old = builder.emit("Mul", [running, builder.scalar(momentum)]);
    const fresh = builder.emit("Mul", [batch, builder.scalar(1 - momentum)]);
    return { input: index, running, batch, updated: builder.emit("Add", [old, fresh]) };
  });
}

const overPlane = "normalizes over it";

const batchNormalization = defineOp({
  type: "BatchNormalization",
  domain: "",
  coupling: {
    links(c) {
      const x = c.input(0);
      c.sameAll(x, c.output(0));
      for (const vector of [1, 2, 3, 4]) c.sameAll(c.input(vector), [x[1]]);
      for (const vector of [1, 2]) c.sameAll(c.output(vector), [x[1]]);
      if (c.node.int("training_mode", 0)) c.boundAll([x[0], ...x.slice(2)], overPlane);
    },
  },
  gradient: rule(batchNormalizationGradient),
  weights: noWeights,
  learnable: [1, 2],
  scale: 1,
  macs: noMacs,
});

/** One with a scale and a bias for each channel, or each element of the axes that it normalizes over. */
const normalization = (type: string, gradient: Gradient, coupling: Coupling) =>
  defineOp({
    type,
    domain: "",
    gradient,
    coupling,
    weights: noWeights,
    learnable: [1, 2],
    scale: 1,
    macs: noMacs,
  });

const instanceNormalization = normalization("InstanceNormalization", instanceGradient, {
  links(c) {
    const x = c.input(0);
    c.sameAll(x, c.output(0));
    c.sameAll(c.input(1), [x[1]]);
    c.sameAll(c.input(2), [x[1]]);
    c.boundAll(x.slice(2), overPlane);
  },
});

/** Whole groups may leave; within one, the channels share their mean and variance. */
const groupNormalization = normalization("GroupNormalization", groupGradient, {
  links(c) {
    const x = c.input(0);
    const groups = c.node.int("num_groups", 1);
    const group = c.own(groups, "the groups");
    const within = c.own(x[1].size / groups, "channels of a group");
    c.product([x[1]], [group, within]);
    c.bound(within, overPlane);
    c.sameAll(x, c.output(0));
    c.sameAll(c.input(1), [x[1]]);
    c.sameAll(c.input(2), [x[1]]);
    c.boundAll(x.slice(2), overPlane);
  },
  repair(r) {
    const { before, keep } = r.input(0)[1];
    if (keep) r.setInt("num_groups", (r.node.int("num_groups", 1) * keep.length) / before);
  },
});

/** Over some axes of the first input, along which all others run after broadcasting; along the rest side by side. */
export function normalizes(axesOf: (c: CouplingContext) => readonly number[]): Coupling {
  return {
    links(c) {
      const x = c.input(0);
      const over = new Set(axesOf(c));
      const others = [...c.node.inputs.slice(1), ...c.node.outputs].map((value) => c.axesOf(value));
      for (const [i, axis] of x.entries()) {
        const along = others.flatMap((axes) => axes[axes.length - x.length + i] ?? []);
        const alike = along.filter(({ size }) => size === axis.size);
        if (over.has(i)) c.statistic(axis, overPlane, alike);
        else for (const other of alike) c.same(other, axis);
      }
    },
  };
}

/** LayerNormalization and RMSNormalization: over the axes from `axis` on. */
const fromAxis = normalizes((c) => {
  const first = c.axis(-1);
  return [...c.input(0).keys()].filter((axis) => axis >= first);
});

export const normOps = [
  batchNormalization,
  instanceNormalization,
  groupNormalization,
  normalization("LayerNormalization", fromAxisGradient(true), fromAxis),
  normalization("RMSNormalization", fromAxisGradient(false), fromAxis),
  // What onnxruntime's optimizer calls an RMSNormalization that it finds; it is of the standard domain there.
  normalization("SimplifiedLayerNormalization", fromAxisGradient(false), fromAxis),
  withoutWeights(
    "LpNormalization",
    lpGradient,
    normalizes((c) => [c.axis(-1)]),
  ),
  // Over a few neighbours: a channel would get others.
  withoutWeights(
    "LRN",
    localResponseGradient,
    alongOthers(() => [1], overPlane),
  ),
  withoutWeights(
    "MeanVarianceNormalization",
    meanVarianceGradient,
    normalizes((c) => {
      const axes = c.node.ints("axes", [0, 2, 3]);
      return axes.map((axis) => (axis < 0 ? axis + c.input(0).length : axis));
    }),
  ),
];
