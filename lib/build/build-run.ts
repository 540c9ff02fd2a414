/** Makes a run of a language model over a data set: what `bergson build` does. */
import fs from 'node:fs';
import path from 'node:path';
import type { DatasetCounts } from '../datasets/counts';
import { InvalidConfigError } from '../errors';
import { fitNormalizer } from '../normalizers/fit';
import { openNormalizer, type StoredNormalizer } from '../normalizers/stored';
import { collectGradients, type CollectedRun } from '../run/collect-gradients';
import type { LossBatch } from '../run/loss-batch';
import { Run } from '../run/run';
import { RUN_MANIFEST } from '../run/run-manifest';
import { runPaths } from '../run/run-paths';
import { keepConfig, type BuildConfig } from './build-config';
import { openSource, type BuildSource } from './build-source';
import { languageBatches } from './language-batches';
import { batchShapes, surveyDataset, usableIds, type Survey } from './survey';
import { modelSize, workOf } from './work';

/** Shows how far a stage is. */
export interface StageProgress {
  /** How much is done in all, and what to say of it. */
  update(done: number, note?: string): void;
  /** How much is done in all, of which what came since the last call took no time: it was there. */
  skip(done: number): void;
  stop(): void;
}

/** Starts to show a stage of so much work. */
export type ShowProgress = (label: string, total: number) => StageProgress;

export interface BuiltRun extends CollectedRun {
  /** All choices, as they are kept in the run. */
  readonly config: BuildConfig;
  /** What became of the data set's rows. */
  readonly counts: DatasetCounts;
}

/**
 * Collects the gradients of every example, or token, of a data set under a causal language model: loads both, goes over
 * the data set once to know how long its examples are, fits the normalizer on some of them, and collects.
 *
 * Killed at any point, the same call goes on where it was; asked for anything else, it refuses. A run that fails before
 * its first row leaves nothing behind.
 *
 * @throws RunMismatchError, RunExistsError, NormalizerFitError; what `loadCausalLM`, `openDataset` and `collectGradients`
 *   throw
 */
export async function buildRun(asked: BuildConfig, show: ShowProgress): Promise<BuiltRun> {
  const source = await openSource(asked);
  try {
    keepConfig(source.config);
    try {
      return await build(source, show);
    } catch (error) {
      const { run } = source.config;
      if (!fs.existsSync(path.join(run, RUN_MANIFEST))) fs.rmSync(run, { recursive: true, force: true });
      throw error;
    }
  } finally {
    await source.close();
  }
}

async function build(source: BuildSource, show: ShowProgress): Promise<BuiltRun> {
  const { config, lm, dataset, collecting } = source;
  const { run, attribute, lossReduction, autocorrelation, index } = config;
  const survey = await showSurvey(source, show);
  const normalizer = await normalizerFor(source, survey, show);
  const size = modelSize(lm);
  const shapes = await batchShapes(survey, config.tokenBatchSize);
  const progress = show(
    'collecting',
    shapes.reduce((sum, shape) => sum + workOf(shape, size), 0),
  );
  let indexing: StageProgress | undefined;
  let work = 0;
  let examples = 0;
  try {
    const collected = await collectGradients(lm.model, languageBatches(lm, dataset.examples(), config), {
      ...collecting,
      path: run,
      normalizer,
      lossReduction,
      autocorrelation,
      index,
      exampleCount: survey.lengths.length,
      ...(attribute === 'tokens' && { tokenCounts: survey.lengths.map((length) => Math.max(0, length - 1)) }),
      model: {
        path: config.model,
        tokenizer: config.tokenizer,
        architecture: typeof lm.config.model_type === 'string' ? lm.config.model_type : null,
      },
      onBatch: ({ ids, computed }) => {
        work += workOf([ids.length, longestOf(ids, survey)], size);
        examples += ids.length;
        if (computed) progress.update(work, `${examples} examples`);
        else progress.skip(work);
      },
      onIndexProgress: (rows) => {
        if (indexing === undefined) progress.stop();
        indexing ??= show('indexing', survey.lengths.length);
        indexing.update(rows);
      },
    });
    return { ...collected, config, counts: survey.counts };
  } finally {
    normalizer?.dispose();
    (indexing ?? progress).stop();
  }
}

/** Surveys the data set, and keeps the examples' records in the run unless they are there. */
async function showSurvey({ config, dataset }: BuildSource, show: ShowProgress): Promise<Survey> {
  const file = runPaths.examples(config.run);
  const progress = show('reading', dataset.range.end - dataset.range.start);
  try {
    return await surveyDataset(dataset, fs.existsSync(file) ? null : file, (rows) => {
      progress.update(rows);
    });
  } finally {
    progress.stop();
  }
}

function longestOf(ids: Int32Array, { lengths }: Survey): number {
  return ids.reduce((longest, id) => Math.max(longest, lengths[id] ?? 0), 0);
}

/** The normalizer that the run has, or one that is fitted on a sample. */
async function normalizerFor(source: BuildSource, survey: Survey, show: ShowProgress) {
  const { config } = source;
  if (config.normalizer === 'none') return null;
  const file = runPaths.normalizer(config.run);
  if (fs.existsSync(file)) return openNormalizer(file);
  if (config.normalizerRun !== null) return normalizerOf(config.normalizerRun, config.normalizer);
  const sample = sampleIds(survey, config.normalizerSample);
  const progress = show('fitting the normalizer', sample.size);
  try {
    return await fitOn(source, sample, (examples) => {
      progress.update(examples);
    });
  } finally {
    progress.stop();
  }
}

/** The normalizer of another run. @throws InvalidConfigError if it is not of the kind asked for */
function normalizerOf(run: string, kind: string): StoredNormalizer {
  const { normalizer } = Run.open(run).manifest;
  if (normalizer !== kind) throw new InvalidConfigError(run, 'normalizer', normalizer, kind);
  return openNormalizer(runPaths.normalizer(run));
}

/** Fits on the examples of these ids; tells how many are done. */
export function fitOn(
  source: BuildSource,
  sample: ReadonlySet<number>,
  onProgress: (examples: number) => void,
) {
  const { config, lm, dataset, collecting } = source;
  const kind = config.normalizer === 'adam' ? 'adam' : 'adafactor';
  const batches = languageBatches(lm, dataset.examples({ wanted: (id) => sample.has(id) }), config);
  async function* counted(): AsyncGenerator<LossBatch> {
    let examples = 0;
    for await (const batch of batches) {
      yield batch;
      examples += batch.ids.length;
      onProgress(examples);
    }
  }
  return fitNormalizer(lm.model, counted(), kind, collecting);
}

/** So many examples at equal distances in the data set, or all there are. */
export function sampleIds(survey: Survey, size: number): ReadonlySet<number> {
  const ids = usableIds(survey);
  const every = Math.max(1, ids.length / size);
  const count = Math.min(size, ids.length);
  return new Set(Array.from({ length: count }, (_, i) => ids[Math.floor(i * every)] ?? 0));
}
