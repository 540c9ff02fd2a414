/** The library's public API. Named re-exports only. */
export { Attributor, type AttributorOptions, type LayerScore, type TraceOptions } from './attributor';
export { loadBackend } from './backend';
export { resolveConfig, type BuildConfig } from './build/build-config';
export { buildRun, type BuiltRun, type ShowProgress, type StageProgress } from './build/build-run';
export { languageBatches, type LanguageBatchOptions } from './build/language-batches';
export { planBuild, type BuildPlan } from './build/plan';
export {
  resolveTrackstar,
  runTrackstar,
  type TrackstarConfig,
  type TrackstarOutcome,
} from './build/trackstar';
export type { AttributedLayer, AttributedPart, IncludeBias } from './capture/attributed-layers';
export type { Coverage, LayerCoverage } from './capture/coverage';
export type { Batch } from './compiled-model';
export { batchByTokens, type TokenBatching } from './datasets/batch-by-tokens';
export { collate, type TokenBatch } from './datasets/collate';
export type { ColumnOptions, Columns, DocumentColumns } from './datasets/columns';
export type { DatasetCounts, SkippedRows } from './datasets/counts';
export { openDataset, type DatasetOptions, type PassOptions, type TextDataset } from './datasets/dataset';
export type { TokenizedExample } from './datasets/tokenized-example';
export * from './errors';
export { withExampleIds } from './example-ids';
export {
  GradientCollector,
  type Captured,
  type CollectedGradients,
  type GradientClosure,
  type GradientCollectorOptions,
} from './gradient-collector';
export { checkGradients, type GradientCheck, type GradientCheckOptions } from './gradient-check';
export { applyHostFixes } from './host-fixes';
export { DenseActivations, OneHotActivations, type Activations } from './layers/activations';
export type { Attention, AttentionHeads } from './layers/attention-heads';
export type { ExplicitGradient, Factors, LinearFactors } from './layers/factors';
export {
  registerLayerGradient,
  type FactorsOf,
  type GradientPart,
  type LayerContext,
  type LayerGradient,
  type Tap,
} from './layers/layer-gradient';
export { sparseCrossEntropy } from './losses';
export { createCausalLM, loadCausalLM, type CausalLM } from './models/causal-lm';
export { AdafactorNormalizer } from './normalizers/adafactor';
export { AdadeltaNormalizer } from './normalizers/adadelta';
export { AdagradNormalizer } from './normalizers/adagrad';
export { AdamNormalizer } from './normalizers/adam';
export { AdamaxNormalizer } from './normalizers/adamax';
export type { NormalizerName } from './normalizers/choose';
export { fitNormalizer, type FitNormalizerOptions, type FittedKind } from './normalizers/fit';
export { FixedNormalizer } from './normalizers/fixed';
export type {
  ElementNormalizer,
  FactoredMoments,
  FactoredNormalizer,
  Normalizer,
} from './normalizers/normalizer';
export { RmspropNormalizer } from './normalizers/rmsprop';
export { openNormalizer, saveNormalizer } from './normalizers/stored';
export { selfInfluence, selfInfluenceOverTraining } from './influence/self-influence';
export { tracIn, tracInCheckpoints, type Checkpoint, type TracInQueries } from './influence/trac-in';
export {
  autocorrelationOf,
  AutocorrelationSum,
  mixAutocorrelations,
  type Autocorrelation,
} from './preconditioners/autocorrelation';
export { bakeStore } from './preconditioners/bake';
export { decompose, type Decomposition, type LayerSpectrum } from './preconditioners/decomposition';
export { fisherAutocorrelation } from './preconditioners/fisher';
export { fitPreconditioner, type FitOptions, type FittedPreconditioner } from './preconditioners/fit';
export type { LabelOptions } from './preconditioners/model-labels';
export {
  Preconditioner,
  type LayerConditioning,
  type Power,
  type PreconditionerOptions,
} from './preconditioners/preconditioner';
export type { ProjectionOptions } from './projection';
export type { Aggregate } from './query/aggregate';
export type { EpochScore } from './query/epoch-scores';
export type { Trace, TracedExample } from './query/trace';
export {
  collectGradients,
  type CollectedBatch,
  type CollectedRun,
  type CollectGradientsOptions,
} from './run/collect-gradients';
export type { ExampleRecord } from './run/example-records';
export type { LossBatch } from './run/loss-batch';
export { importIndex, type ImportOptions } from './run/import-index';
export { Run } from './run/run';
export type { FailedExample, FrozenPass, ModelReference, RunManifest } from './run/run-manifest';
export type { RunOptions } from './run/run-recorder';
export { TrainingRecorder, type TrainingRecorderOptions } from './run/training-recorder';
export type { Agreement, Verification, VerifiedExample, VerifyOptions } from './verification/verify';
export { scoreBatches, type ScoreBatchesOptions } from './scores/score-batches';
export type { ScoreFormat } from './scores/score-formats';
export type { RowBatch } from './scores/score-rows';
export type { ScoredData, ScoreOptions, ScoreSummary } from './scores/score-store';
export { SeveralStores, type StoreNeighbor, type StoreNeighbors } from './search/several-stores';
export { GradientStoreReader } from './store/reader';
export { TrainingOrderReader, type Sighting } from './store/training-order';
