/** Scores of rows as they come: of a store, or of gradients that nothing keeps. */
import type { ColumnRange } from '../../kernels/scan/column-ranges';
import { NonFiniteValueError, RowShapeError } from '../errors';
import type { GradientCollector } from '../gradient-collector';
import { batchRows } from '../run/batch-rows';
import type { LossBatch } from '../run/loss-batch';
import { innerProducts, rowNorm } from '../search/inner-products';
import type { GradientStoreReader } from '../store/reader';
import type { ScoreFile } from './score-file';

/** Rows [n, width] and their numbers [n]. */
export interface RowBatch {
  readonly ids: Int32Array;
  readonly rows: Float32Array;
}

export interface RowScoring {
  /** Each [width]. */
  readonly queries: readonly Float32Array[];
  /** Columns that count. */
  readonly ranges: readonly ColumnRange[];
  /** Whether scores are divided by the row's norm over `ranges`. */
  readonly unitNorm: boolean;
  /** Whether a row has one score, that of the query nearest to it, instead of one for each. */
  readonly nearest: boolean;
}

/**
 * Scores every row of `batches` as search scores it, in float64 rounded to float32, into `file`. What memory holds is a
 * batch. Resolves to how many rows were scored. @throws NonFiniteValueError naming the row, RowShapeError, DiskWriteError
 */
export async function scoreRows(
  batches: AsyncIterable<RowBatch> | Iterable<RowBatch>,
  { queries, ranges, unitNorm, nearest }: RowScoring,
  file: ScoreFile,
  onProgress?: (rows: number) => void,
): Promise<number> {
  const width = queries[0]?.length ?? 0;
  const each = nearest ? 1 : queries.length;
  const products = new Float64Array(queries.length);
  let done = 0;
  for await (const { ids, rows } of batches) {
    if (rows.length !== ids.length * width) {
      throw new RowShapeError(`${ids.length} rows`, ids.length * width, rows.length);
    }
    const scores = new Float32Array(ids.length * each);
    for (let i = 0; i < ids.length; i++) {
      const row = rows.subarray(i * width, (i + 1) * width);
      innerProducts(row, queries, ranges, products);
      const norm = unitNorm ? rowNorm(row, ranges) : 1;
      const values = nearest
        ? [products.reduce((most, value) => Math.max(most, value), -Infinity)]
        : products;
      values.forEach((value, query) => {
        const score = Math.fround(norm === 0 ? 0 : value / norm);
        if (!Number.isFinite(score)) throw new NonFiniteValueError('the score', score, undefined, ids[i]);
        scores[i * each + query] = score;
      });
    }
    file.write(ids, scores);
    done += ids.length;
    onProgress?.(done);
  }
  return done;
}

/** The rows of `store` that have no scores in `file` yet. */
export function* storeRows(
  store: GradientStoreReader,
  file: ScoreFile,
): Generator<RowBatch, void, undefined> {
  const { width } = store;
  for (const { first, count, rows } of store.blocks()) {
    const missing = Array.from({ length: count }, (_, i) => first + i).filter(
      (row) => store.isWritten(row) && !file.isWritten(row),
    );
    if (missing.length === count) {
      yield { ids: Int32Array.from(missing), rows };
    } else if (missing.length > 0) {
      const chosen = new Float32Array(missing.length * width);
      missing.forEach((row, i) => {
        chosen.set(rows.subarray((row - first) * width, (row - first + 1) * width), i * width);
      });
      yield { ids: Int32Array.from(missing), rows: chosen };
    }
  }
}

/**
 * The gradients of batches that have no scores in `file` yet, which nothing keeps: one pass over data of any size. A
 * batch of which all have scores is not computed. `collector` must take losses as sums. Disposes the batches.
 */
export async function* batchesOfRows(
  collector: GradientCollector,
  batches: AsyncIterable<LossBatch> | Iterable<LossBatch>,
  file: Pick<ScoreFile, 'isWritten'>,
): AsyncGenerator<RowBatch, void, undefined> {
  for await (const batch of batches) {
    try {
      if (batch.ids.every((id) => file.isWritten(id))) continue;
      const rows = await batchRows(collector, batch, { rows: batch.ids, counts: null });
      yield { ids: batch.ids, rows };
    } finally {
      batch.dispose();
    }
  }
}
