/** What became of a data set's rows. */

/** Rows that made no example, for one reason. */
export interface SkippedRows {
  readonly reason: string;
  readonly count: number;
  /** The first few of them, by row number of the data set. */
  readonly firstRows: readonly number[];
}

/** Counts of one pass, so far. */
export interface DatasetCounts {
  /** Rows read. */
  readonly rows: number;
  /** Examples made: at most one a row, unless long documents are cut into chunks. */
  readonly examples: number;
  readonly tokens: number;
  /** Documents whose end was cut off. */
  readonly truncated: number;
  /** Documents that became several examples. */
  readonly chunked: number;
  /** In the order of their first rows. */
  readonly skipped: readonly SkippedRows[];
}

const FIRST_ROWS = 5;

/** Counts while a data set is read. */
export class Tally {
  rows = 0;
  examples = 0;
  tokens = 0;
  truncated = 0;
  chunked = 0;
  /** Rows or chunks that the pass was not asked for. */
  unwanted = 0;
  private readonly skippedRows = new Map<string, { count: number; firstRows: number[] }>();

  skip(row: number, reason: string): void {
    const entry = this.skippedRows.get(reason) ?? { count: 0, firstRows: [] };
    this.skippedRows.set(reason, entry);
    entry.count++;
    if (entry.firstRows.length < FIRST_ROWS) entry.firstRows.push(row);
  }

  counts(): DatasetCounts {
    const { rows, examples, tokens, truncated, chunked } = this;
    const skipped = Array.from(this.skippedRows, ([reason, { count, firstRows }]) => ({
      reason,
      count,
      firstRows: [...firstRows],
    })).sort((a, b) => (a.firstRows[0] ?? 0) - (b.firstRows[0] ?? 0));
    return { rows, examples, tokens, truncated, chunked, skipped };
  }
}
