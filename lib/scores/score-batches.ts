/** One-pass scoring: a data set against queries, without a store of gradients. */
import type * as tf from '@tensorflow/tfjs';
import { EmptyQueryError } from '../errors';
import { GradientCollector, type GradientCollectorOptions } from '../gradient-collector';
import type { Aggregate } from '../query/aggregate';
import { meanRow } from '../query/aggregate';
import { digestWeights } from '../run/model-files';
import type { LossBatch } from '../run/loss-batch';
import { ScoreFile } from './score-file';
import { batchesOfRows, scoreRows } from './score-rows';
import { scoreIdentity } from './score-identity';

export interface ScoreBatchesOptions extends Omit<GradientCollectorOptions, 'lossReduction'> {
  /** The directory of scores to write; not there yet, or what a killed call with the same options left. */
  readonly path: string;
  /** Examples in the data set: ids are from 0 up to it. */
  readonly exampleCount: number;
  /** Says which data set it is, so that a call is not gone on with over another. Default: its number of examples. */
  readonly data?: string;
  readonly unitNorm?: boolean;
  readonly aggregate?: Aggregate;
  /** Told how many rows were scored. */
  readonly onProgress?: (rows: number) => void;
}

/**
 * Scores every example of `batches` against `queries`, each [width] and made by a collector with the same options, and
 * keeps nothing but the scores: memory holds a batch. A positive score means that training on the example lowered the
 * query's loss. Killed, the same call goes on.
 *
 * @returns How many examples were scored.
 * @throws EmptyQueryError, RowShapeError, OutputExistsError, ScoresMismatchError, NonFiniteValueError, DiskWriteError
 * @example
 * await scoreBatches(model, batches, queries, { path: 'scores', exampleCount: 1e6, projectionDim: 16 });
 */
export async function scoreBatches(
  model: tf.LayersModel,
  batches: AsyncIterable<LossBatch> | Iterable<LossBatch>,
  queries: readonly Float32Array[],
  options: ScoreBatchesOptions,
): Promise<number> {
  const { path, exampleCount, data = '', unitNorm = false, aggregate, onProgress } = options;
  if (queries.length === 0) throw new EmptyQueryError('none');
  const asked = aggregate === 'mean' ? [meanRow(queries)] : queries;
  const collector = new GradientCollector(model, { ...options, lossReduction: 'sum' });
  try {
    const { projection, columns } = collector;
    const width = columns.reduce((sum, column) => sum + column.width, 0);
    const identity = scoreIdentity(asked, {
      unitNorm,
      aggregate,
      data,
      exampleCount,
      projection,
      columns,
      weights: digestWeights(model),
    });
    const nearest = aggregate === 'nearest';
    const file = ScoreFile.begin(path, {
      rows: exampleCount,
      queries: nearest ? 1 : asked.length,
      identity,
    });
    try {
      const scoring = { queries: asked, ranges: [{ begin: 0, end: width }], unitNorm, nearest };
      const scored = await scoreRows(batchesOfRows(collector, batches, file), scoring, file, onProgress);
      file.finish();
      return scored;
    } finally {
      file.close();
    }
  } finally {
    collector.dispose();
  }
}
