/** Finds which rows of a block may be among the best or the worst for a query. */
import { gatherColumns, type ColumnRange } from './column-ranges';
import { relativeMargin } from './margin';

/** What is asked of every block. */
export interface ScanQuestion {
  /** Numbers in a row. */
  readonly width: number;
  /** Whether rows are float16 or float32. */
  readonly half: boolean;
  /** Each [width], finite. */
  readonly queries: readonly Float32Array[];
  /** Columns that count, ascending. */
  readonly ranges: readonly ColumnRange[];
  /** Whether scores are divided by the norm of their row over `ranges`; rows of norm 0 score 0. */
  readonly unitNorm: boolean;
  /** The most rows of a block. */
  readonly blockRows: number;
  /** For each query, where rows are not all that is to be scored. */
  readonly doubts?: readonly Doubt[];
}

/** By how much more than its rounding a query's score may be off. */
export interface Doubt {
  /** For each unit of the row's norm. */
  readonly ofNorm: number;
  /** For each unit of the norm of what is missing from the row: its residual. */
  readonly ofResidual: number;
}

/** A row that may be among the best or worst: its exact score times the query's scale is within `margin` of `score`. */
export interface Hits {
  readonly count: number;
  row(hit: number): number;
  query(hit: number): number;
  score(hit: number): number;
  /** 0 only where the score is exact. Infinite, or not a number, where nothing is known. */
  margin(hit: number): number;
}

export interface BlockScanner {
  /** Rows go here, as they lie on disk, before they are scanned. */
  readonly block: Uint8Array;
  /** Powers of two by which the queries are multiplied, so that their norms are from 1/2 to 1 (a query of zeros: 1). */
  readonly scales: Float64Array;
  /** Rows with a score certainly below are no hits: [queries], from -Infinity. May only rise. */
  readonly highest: Float32Array;
  /** Unless they are not certainly above this: [queries], from Infinity. May only fall. */
  readonly lowest: Float32Array;
  /**
   * Scans rows `first` up to `count` of the block, as long as there is room for hits. `written` [count] has 1 for
   * rows that are there, `factors` [count] what their numbers are multiplied by, powers of two; undefined: all are there, and
   * have factor 1. `residuals` [count] are 0 unless given. Returns the row to go on from.
   */
  scan(
    first: number,
    count: number,
    written?: Uint8Array,
    factors?: Float32Array,
    residuals?: Float32Array,
  ): number;
  /** Of the last scan. */
  readonly hits: Hits;
}

/** A query's columns that count, scaled, and its margins for a row of norm 1 and for a residual of 1. */
export interface ScaledQuery {
  readonly scale: number;
  readonly values: Float32Array;
  readonly margin: number;
  readonly residualMargin: number;
}

/** Scaling by a power of two is exact but for what underflows, less than a rounding of the score. */
export function scaleQueries({ queries, ranges, unitNorm, doubts }: ScanQuestion): ScaledQuery[] {
  return queries.map((query, i) => {
    const values = gatherColumns(query, ranges);
    const norm = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
    const scale = norm === 0 ? 1 : 2 ** -Math.ceil(Math.log2(norm));
    const { ofNorm, ofResidual } = doubts?.[i] ?? { ofNorm: 0, ofResidual: 0 };
    const rounding = relativeMargin(norm * scale, values.length, ranges.length, unitNorm);
    return {
      scale,
      values: values.map((value) => value * scale),
      margin: rounding + ofNorm * scale,
      residualMargin: ofResidual * scale,
    };
  });
}

/** Hits as kernels write them: four numbers of 32 bits each. */
export class PackedHits implements Hits {
  count = 0;
  private readonly integers: Int32Array;

  constructor(readonly floats: Float32Array) {
    this.integers = new Int32Array(floats.buffer, floats.byteOffset, floats.length);
  }

  add(row: number, query: number, score: number, margin: number): void {
    const at = 4 * this.count++;
    this.integers[at] = row;
    this.integers[at + 1] = query;
    this.floats[at + 2] = score;
    this.floats[at + 3] = margin;
  }

  row(hit: number): number {
    return this.integers[4 * hit]!;
  }

  query(hit: number): number {
    return this.integers[4 * hit + 1]!;
  }

  score(hit: number): number {
    return this.floats[4 * hit + 2]!;
  }

  margin(hit: number): number {
    return this.floats[4 * hit + 3]!;
  }
}
