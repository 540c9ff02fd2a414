/** What every search engine over a gradient store offers. */
import { KTooLargeError, NonFiniteValueError, RowShapeError } from '../errors';

/** A training example and its score. */
export interface Neighbor {
  readonly example: number;
  /**
   * Inner product of the query with the example's row. Positive: training on the example lowered the
   * query's loss; negative: it raised it.
   */
  readonly score: number;
}

/** The ends of the ranking for one query; of equal scores the lower example id comes first. */
export interface Neighbors {
  /** The k highest scores, highest first. */
  readonly highest: readonly Neighbor[];
  /** The k lowest scores, lowest first. */
  readonly lowest: readonly Neighbor[];
}

export interface SearchOptions {
  /** How many neighbors at each end. */
  readonly k: number;
  /** Divide each score by the norm of its row (over `layers`, if given); rows of norm 0 score 0. */
  readonly unitNorm?: boolean;
  /** Score only the columns of these layers, or parts of layers; a path selects what is inside it, too. */
  readonly layers?: readonly string[];
}

/** Algorithms that search. */
export type EngineName = 'exact' | 'projected' | 'hnsw';

/** Finds the rows with the highest and the lowest inner products. */
export interface GradientIndex {
  /** Which algorithm searches. */
  readonly engine: EngineName;
  /** Rows that can be found: those written. */
  readonly rows: number;
  /**
   * The neighbors of each of `queries` (each [width], float32), in their order. Scores are exact whatever
   * the engine; only which rows are found may be approximate. Throws {@link KTooLargeError},
   * {@link RowShapeError}, {@link NonFiniteValueError}, UnknownColumnError, ClosedError.
   */
  search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]>;
  /** Frees files and threads. */
  close(): Promise<void>;
}

/** Throws unless every query has `width` finite numbers and k is from 1 to `rows`. */
export function checkSearch(
  queries: readonly Float32Array[],
  { k }: SearchOptions,
  rows: number,
  width: number,
): void {
  if (!Number.isInteger(k) || k < 1 || k > rows) throw new KTooLargeError(k, rows);
  checkQueries(queries, width);
}

/** Throws {@link RowShapeError} or {@link NonFiniteValueError} unless every query has `width` finite numbers. */
export function checkQueries(queries: readonly Float32Array[], width: number): void {
  queries.forEach((query, position) => {
    if (query.length !== width) throw new RowShapeError(`query ${position}`, width, query.length);
    const bad = query.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) throw new NonFiniteValueError(`query ${position}`, query[bad] ?? NaN);
  });
}
