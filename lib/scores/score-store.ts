/** Scores of a run's rows, or of data that is scored as they would be, in the format asked for. */
import type { ColumnRange } from '../../kernels/scan/column-ranges';
import type { Aggregate } from '../query/aggregate';
import type { SearchOptions } from '../search/gradient-index';
import { rowsChecksum } from '../store/manifest';
import type { GradientStoreReader } from '../store/reader';
import { ScoreFile } from './score-file';
import { writeScores, type ScoreFormat } from './score-formats';
import { scoreIdentity } from './score-identity';
import { scoreRows, storeRows, type RowBatch } from './score-rows';

export interface ScoreOptions extends Pick<SearchOptions, 'layers' | 'unitNorm'> {
  /** What to write; it must not be there yet, but for what a killed call left beside it, `PATH.part`. */
  readonly path: string;
  /** Default: `bergson`, a directory. */
  readonly format?: ScoreFormat;
  /** One score a row for all queries: by their mean, or that of the query nearest to the row. Default: one for each. */
  readonly aggregate?: Aggregate;
  /** What to score instead of the store's rows: nothing of it is kept but the scores. */
  readonly data?: ScoredData;
  /** Told how many rows this call has scored. */
  readonly onProgress?: (rows: number) => void;
}

/** Data that has no store. */
export interface ScoredData {
  /** Says which it is: scores that were begun are gone on with only over the same. */
  readonly name: string;
  /** Ids are from 0 up to this. */
  readonly examples: number;
  /** Rows as the store's would be, in any order; those that `isScored` need not come. */
  readonly rows: (isScored: (example: number) => boolean) => AsyncIterable<RowBatch>;
}

/** What was written. */
export interface ScoreSummary {
  readonly path: string;
  readonly rows: number;
  /** Rows that have scores; the others have no gradient. */
  readonly scored: number;
  /** Rows that this call scored; an earlier one had scored the others. */
  readonly computed: number;
  /** Scores a row. */
  readonly queries: number;
}

/** `queries` [width] are as searches of `store` take them, one if they are aggregated by their mean. */
export async function scoreStore(
  store: GradientStoreReader,
  queries: readonly Float32Array[],
  ranges: readonly ColumnRange[],
  options: ScoreOptions,
): Promise<ScoreSummary> {
  const { path, format = 'bergson', unitNorm = false, aggregate, data, onProgress } = options;
  const nearest = aggregate === 'nearest';
  const tokens = data === undefined ? store.tokens : undefined;
  const rows = data?.examples ?? store.rows;
  const file = ScoreFile.begin(path, {
    rows,
    queries: nearest ? 1 : queries.length,
    tokens,
    identity: scoreIdentity(queries, {
      ranges,
      unitNorm,
      nearest,
      rows,
      scored: data?.name ?? (store.manifest ? rowsChecksum(store.manifest) : store.directory),
    }),
  });
  try {
    const batches = data?.rows((example) => file.isWritten(example)) ?? storeRows(store, file);
    const computed = await scoreRows(batches, { queries, ranges, unitNorm, nearest }, file, onProgress);
    const summary = { path, rows, scored: file.rowsWritten, computed, queries: file.layout.queries };
    await writeScores(file, format);
    return summary;
  } finally {
    file.close();
  }
}
