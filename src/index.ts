// The public API. Everything here is documented where it is defined.

export type { DType } from "./base/dtype.js";
export { type ErrorCode, EspalierError } from "./base/errors.js";
export { type Random, randomStream } from "./base/random.js";
export { floatScalar, floatTensor, fromFloat32, intTensor, Tensor, toFloat32, toNumbers } from "./base/tensor.js";
export type { Batch, DataSplits, Dataset, InputSpec } from "./data/dataset.js";
export { loadDataset } from "./data/load.js";
export { loadOptionsFor } from "./data/model-options.js";
export type { Normalization } from "./data/normalize.js";
export type { LoadOptions } from "./data/options.js";
export { splitDataset, subsetOf } from "./data/split.js";
export { attr } from "./graph/attribute.js";
export { Builder } from "./graph/builder.js";
export { constantOf, constants } from "./graph/constant.js";
export { type Attribute, Graph, Model, Node, Value, type ValueType } from "./graph/ir.js";
export { parseText } from "./graph/parse.js";
export { type PrintOptions, printModel } from "./graph/print.js";
export { readModel, type StoringOptions, type WriteModelOptions, writeModel, writtenBytes } from "./onnx/file.js";
export { type ParseOptions, parseModel } from "./onnx/read.js";
export { modelBytes } from "./onnx/write.js";
export { type SavedModel, type SaveOptions, saveModel } from "./pack/save.js";
export { measureSizes, type Sizes } from "./pack/sizes.js";
export type { Amount } from "./prune/amount.js";
export type { LayerSparsity } from "./prune/apply.js";
export type { Criterion } from "./prune/criteria/criterion.js";
export { magnitude } from "./prune/criteria/magnitude.js";
export { movement } from "./prune/criteria/movement.js";
export { randomCriterion } from "./prune/criteria/random.js";
export { weightGradient } from "./prune/criteria/weight-gradient.js";
export { type LayerOptions, type PrunableLayer, prunableLayers } from "./prune/layers.js";
export { type OneShotOptions, pruneOneShot } from "./prune/one-shot.js";
export type { Goal, PruneOptions } from "./prune/options.js";
export { parsePattern } from "./prune/patterns/parse-pattern.js";
export type { Pattern } from "./prune/patterns/pattern.js";
export type { Gradual, Procedure, Rounds } from "./prune/procedure.js";
export { type PrunedLayer, type PruneResult, prune } from "./prune/prune.js";
export type { RecoveryOptions } from "./prune/recovery.js";
export type { RoundRecord } from "./prune/round.js";
export { cubic } from "./prune/schedules/cubic.js";
export { geometric } from "./prune/schedules/geometric.js";
export { linear } from "./prune/schedules/linear.js";
export { oneShot } from "./prune/schedules/one-shot.js";
export type { Schedule } from "./prune/schedules/schedule.js";
export { erkScope } from "./prune/scopes/erk.js";
export { globalScope } from "./prune/scopes/global.js";
export { lampScope } from "./prune/scopes/lamp.js";
export { layerScope } from "./prune/scopes/layer.js";
export type { Scope } from "./prune/scopes/scope.js";
export type { Selection } from "./prune/score.js";
export { gatherStatistics, type StatisticsOptions } from "./prune/statistics.js";
export type { Activity, ActivityStatistic } from "./prune/structured/activity.js";
export { type Allocation, type AllocationOptions, allocate } from "./prune/structured/allocate.js";
export { type BuildOptions, buildGroups } from "./prune/structured/build-groups.js";
export type { CalibrationOptions } from "./prune/structured/calibration.js";
export { activation, activationVariance, activeShare } from "./prune/structured/criteria/activation.js";
export type { ActivityCriterion, GroupCriterion, WeightCriterion } from "./prune/structured/criteria/criterion.js";
export { geometricMedian } from "./prune/structured/criteria/geometric-median.js";
export { fisher, gradientSignal, secondTaylor, taylor } from "./prune/structured/criteria/gradient.js";
export { l1, l2 } from "./prune/structured/criteria/norm.js";
export { randomGroups } from "./prune/structured/criteria/random.js";
export { reconstruction } from "./prune/structured/criteria/reconstruction.js";
export { normalizationScale } from "./prune/structured/criteria/scale.js";
export { cut } from "./prune/structured/cut.js";
export { type AxisReport, type CutReport, reportCut } from "./prune/structured/cut-report.js";
export { cosine, l2Norm, relativeNorm } from "./prune/structured/depth/criteria.js";
export type {
  LayerActivityCriterion,
  LayerCriterion,
  LayerWeightCriterion,
} from "./prune/structured/depth/criterion.js";
export { type DepthKind, findLayers } from "./prune/structured/depth/find-layers.js";
export type { LayerWeight } from "./prune/structured/depth/layer-weights.js";
export { type PrunedLayers, type PruneLayersOptions, pruneLayers } from "./prune/structured/depth/prune-layers.js";
export { removeLayers, verifyLayers } from "./prune/structured/depth/remove-layers.js";
export type { Bypass, ResidualLayer } from "./prune/structured/depth/residual-layer.js";
export { describeGroups, type GroupsDescription, type SetDescription } from "./prune/structured/describe-groups.js";
export type { CutGoal, Limit } from "./prune/structured/goal.js";
export type { FrozenAxis, Group, Grouping, GroupSet, Slice } from "./prune/structured/groups.js";
export type { Member } from "./prune/structured/members.js";
export { type Activities, observe } from "./prune/structured/observe.js";
export { pruneStructured, type StructuredOptions, type StructuredResult } from "./prune/structured/prune-structured.js";
export { recalibrate } from "./prune/structured/recalibrate.js";
export type { SkippedLayer } from "./prune/structured/refit/consumers.js";
export { type RefitResult, type RefittedLayer, refit } from "./prune/structured/refit/refit.js";
export { type Remaining, remaining } from "./prune/structured/remaining.js";
export {
  type ScoreNormalization,
  type ScoreOptions,
  type ScoreReduction,
  scoreGroups,
} from "./prune/structured/score.js";
export type { Side } from "./prune/structured/side.js";
export { type Proof, verifyCut } from "./prune/structured/verify.js";
export type { WeightShape } from "./prune/weight.js";
export type { PhaseEpoch, PhaseStep } from "./prune/work.js";
export { type BenchOptions, type BenchResult, benchModels } from "./report/bench.js";
export { type CompareOptions, compareFiles, type FileComparison } from "./report/compare-files.js";
export { CurveRecorder } from "./report/curve.js";
export { renderReport } from "./report/html.js";
export { type Inspection, type InspectOptions, inspectModel } from "./report/inspect.js";
export { countLayerCosts, type LayerCosts, type LayerInfo } from "./report/layers.js";
export type { Measurement, RunRecord } from "./report/record.js";
export { type RecordedLayer, recordWeights } from "./report/weights.js";
export { type ExampleOptions, exampleInputs, type Shapes } from "./run/example.js";
export { type Latency, type LatencyCase, type LatencyOptions, measureLatency } from "./run/latency.js";
export { nodeEngine } from "./run/node.js";
export type { Engine, Session, SessionOptions, Tensors } from "./run/session.js";
export type { AugmentOptions } from "./train/augment/augment.js";
export type { Augmentation, ImageBatch } from "./train/augment/augmentation.js";
export { colour } from "./train/augment/colour.js";
export { crop } from "./train/augment/crop.js";
export { flip } from "./train/augment/flip.js";
export { mixup } from "./train/augment/mixup.js";
export { computeGradients, type GradientOptions, type Gradients } from "./train/compute-gradients.js";
export { type Evaluation, evaluate } from "./train/evaluate.js";
export type { EpochRecord } from "./train/fit.js";
export { binaryCrossEntropy } from "./train/losses/binary-cross-entropy.js";
export { cosine as cosineLoss } from "./train/losses/cosine.js";
export { type CrossEntropyOptions, crossEntropy } from "./train/losses/cross-entropy.js";
export { ctc } from "./train/losses/ctc.js";
export { distillation } from "./train/losses/distillation.js";
export { attentionDistance, type FeaturePair, featureDistance } from "./train/losses/features.js";
export { lossOfModel } from "./train/losses/graph-loss.js";
export { huber } from "./train/losses/huber.js";
export { imitation } from "./train/losses/imitation.js";
export type { Loss, LossContext, TargetName } from "./train/losses/loss.js";
export { meanSquare } from "./train/losses/mean-square.js";
export { mixture, type Part } from "./train/losses/mixture.js";
export { networkNamed, networks } from "./train/networks/by-name.js";
export { Layers } from "./train/networks/layers.js";
export { buildNetwork, type Network } from "./train/networks/network.js";
export { vocabularyOf } from "./train/networks/vocabulary.js";
export {
  type AdamOptions,
  adam,
  adamW,
  type Optimizer,
  type OptimizerStep,
  type SgdOptions,
  sgd,
} from "./train/optimizers.js";
export { type Prediction, type PredictOptions, predict } from "./train/predict.js";
export type { Statistic } from "./train/program.js";
export {
  constantRate,
  cosineRate,
  oneCycleRate,
  type RateSchedule,
  rateScheduleNamed,
  stepRate,
  warmUp,
} from "./train/rates.js";
export type { TeachingOptions } from "./train/teacher/teaching.js";
export { type TrainedModel, type TrainOptions, trainModel } from "./train/train-model.js";
export type { UpdateOptions } from "./train/update/update.js";
