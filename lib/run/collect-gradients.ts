/** Collects the gradients of a data set under a model that does not change. */
import fs from 'node:fs';
import tf = require('@tensorflow/tfjs');
import { NoExamplesError, RunMismatchError } from '../errors';
import { GradientCollector } from '../gradient-collector';
import type { Normalizer } from '../normalizers/normalizer';
import { saveNormalizer } from '../normalizers/stored';
import { buildIndex } from '../search/open-index';
import { sha256 } from '../store/record-file';
import { TokenOffsets } from '../store/token-offsets';
import { batchRows, placesOf } from './batch-rows';
import { describeModel } from './describe-model';
import { writeExamples } from './example-records';
import { FrozenRunWriter } from './frozen-run-writer';
import type { LossBatch } from './loss-batch';
import { digestWeights, hasModel, saveModel } from './model-files';
import { Run } from './run';
import type { FailedExample, FrozenPass, RunManifest } from './run-manifest';
import { runPaths, STATIC } from './run-paths';
import type { RunOptions } from './run-recorder';

export interface CollectGradientsOptions
  extends
    Omit<
      RunOptions,
      'trackOrder' | 'useOptimizerState' | 'normalizer' | 'scaleByLearningRate' | 'accumulate'
    >,
    Partial<Omit<FrozenPass, 'attribute'>> {
  /** The run's directory: empty, not there yet, or what a call with the same options left that did not finish. */
  readonly path: string;
  /** Examples in the data set. Default: the highest id that the pass meets, and one. */
  readonly exampleCount?: number;
  /**
   * Gives a row to each token in place of each example: how many, by example. Of an example in a batch they are its first
   * positions along the second axis. A text of L tokens has L - 1, since the last predicts nothing.
   */
  readonly tokenCounts?: ArrayLike<number>;
  /** Divides gradients by second moments, which the run keeps. Default: none. */
  readonly normalizer?: Normalizer | null;
  /** Told of each batch once its rows are written, or were found written. */
  readonly onBatch?: (batch: CollectedBatch) => void;
}

/** A batch that is done with. */
export interface CollectedBatch {
  readonly ids: Int32Array;
  /** Whether it was computed; otherwise its rows were there. */
  readonly computed: boolean;
}

/** What a pass over a frozen model came to. */
export interface CollectedRun {
  readonly run: Run;
  /** Rows that this call computed and wrote. */
  readonly computed: number;
  /** Rows that an earlier call had written. */
  readonly found: number;
  /** Examples whose gradients could not be stored; they have no row. */
  readonly failed: readonly FailedExample[];
}

/**
 * Makes a run of `model` as it is, with one gradient store, `train/static`: a row for every example of `batches`, at
 * its id, whatever the order in which they come. Each batch's loss is differentiated down to the lowest attributed
 * layer, and no weight's gradient is computed.
 *
 * If the process dies, the same call goes on: batches whose rows are all there are not computed again, and of the others
 * only the missing rows are written, so that the run becomes byte for byte what it would have been. It has to give the
 * same data in the same batches.
 *
 * A gradient that is not finite leaves its example without a row, named in the result and in
 * the run. Any other error ends the pass, and leaves a run to go on with; before the first row it leaves nothing.
 *
 * @throws NoExamplesError, NoGradientError, RunMismatchError, RunExistsError, RepeatedExampleError, UnsupportedLayerError,
 *   UnknownLayerError, AttentionHeadsError, InvalidOptionError, DiskWriteError
 * @example
 * const { run } = await collectGradients(model, batches, { path: 'runs/static', projectionDim: 16 });
 */
export async function collectGradients(
  model: tf.LayersModel,
  batches: AsyncIterable<LossBatch> | Iterable<LossBatch>,
  options: CollectGradientsOptions,
): Promise<CollectedRun> {
  const { path, index = true, normalizer = null, onIndexProgress } = options;
  const tokens = options.tokenCounts && TokenOffsets.of(options.tokenCounts);
  const attribute = tokens === undefined ? 'examples' : 'tokens';
  const collector = new GradientCollector(model, { ...options, normalizer, attribute, lossReduction: 'sum' });
  try {
    const description = describeRun(model, collector, options, tokens);
    const writer = FrozenRunWriter.open(path, description, collector.columns, tokens);
    const counts = { computed: 0, found: 0 };
    try {
      if (options.autocorrelation === true) await writer.collectAutocorrelation();
      await keepInputs(model, collector, options);
      if (writer.sealed) counts.found = writer.rowsWritten;
      else await collectRows(collector, batches, writer, tokens, counts, options.onBatch);
      await writer.seal();
    } catch (error) {
      writer.abort();
      throw error;
    }
    if (!writer.complete) {
      if (index) await buildIndex(runPaths.store(path, STATIC), { onProgress: onIndexProgress });
      writer.finish();
    }
    const run = Run.open(path);
    return { run, ...counts, failed: run.manifest.failed };
  } finally {
    collector.dispose();
  }
}

async function collectRows(
  collector: GradientCollector,
  batches: AsyncIterable<LossBatch> | Iterable<LossBatch>,
  writer: FrozenRunWriter,
  tokens: TokenOffsets | undefined,
  counts: { computed: number; found: number },
  onBatch: CollectGradientsOptions['onBatch'],
): Promise<void> {
  let met = 0;
  for await (const batch of batches) {
    const { ids } = batch;
    try {
      const places = placesOf(ids, tokens);
      const { rows } = places;
      const computed = writer.meet(rows);
      met += ids.length;
      const written = computed ? writer.write(rows, await batchRows(collector, batch, places)) : 0;
      counts.computed += written;
      counts.found += rows.length - written;
      onBatch?.({ ids, computed });
    } finally {
      batch.dispose();
    }
  }
  counts.found -= writer.failed.length;
  if (met === 0) throw new NoExamplesError('the pass came to no batch with an example in it');
}

/** Puts beside the rows what they were made with, unless an earlier call has. @throws RunMismatchError, DiskWriteError */
async function keepInputs(
  model: tf.LayersModel,
  collector: GradientCollector,
  options: CollectGradientsOptions,
): Promise<void> {
  const { path, normalizer = null, examples, exampleCount = null } = options;
  if (normalizer !== null) keepNormalizer(path, normalizer, collector);
  if (options.model == null && !hasModel(runPaths.model(path))) await saveModel(model, runPaths.model(path));
  if (examples !== undefined && !fs.existsSync(runPaths.examples(path)))
    writeExamples(runPaths.examples(path), examples, exampleCount);
}

/** Saves second moments, or makes sure that they are those that rows were made with. */
function keepNormalizer(path: string, normalizer: Normalizer, { parts }: GradientCollector): void {
  const file = runPaths.normalizer(path);
  const begun = fs.existsSync(file);
  const own = begun ? `${file}.asked` : file;
  saveNormalizer(own, normalizer, parts);
  if (!begun) return;
  const digests = [file, own].map((name) => sha256(fs.readFileSync(name))) as [string, string];
  fs.rmSync(own);
  if (digests[0] !== digests[1]) throw new RunMismatchError(path, 'a normalizer of sha256', ...digests);
}

function describeRun(
  model: tf.LayersModel,
  collector: GradientCollector,
  options: CollectGradientsOptions,
  tokens: TokenOffsets | undefined,
): RunManifest {
  return {
    ...describeModel(model, collector),
    examples: tokens?.examples ?? options.exampleCount ?? null,
    dtype: options.dtype ?? 'float32',
    normalizer: options.normalizer?.name ?? 'none',
    scaledByLearningRate: false,
    accumulate: false,
    trackOrder: false,
    optimizer: null,
    frozen: {
      attribute: collector.attribute,
      lossReduction: options.lossReduction ?? null,
      model: options.model ?? null,
    },
    state: 'collecting',
    epochs: [],
    weightsDigest: digestWeights(model),
    failed: [],
  };
}
