/** What every format of data sets offers: rows in order, without holding them all. */

/** Values by column. A missing column and null are the same. */
export type Row = Readonly<Record<string, unknown>>;

/** Rows of one or several files of one format. Row numbers count from 0 over all of them. */
export interface RowSource {
  /** Named for people: `JSONL`, `CSV`, … */
  readonly format: string;

  /** How many rows there are. Counting may stop at `limit`, if there are that many. */
  count(limit: number): Promise<number>;

  /**
   * Rows [start, end) in order, as many of them as there are. Of `columns` only, where the format can leave others unread.
   * @throws DatasetFormatError
   */
  rows(start: number, end: number, columns?: readonly string[]): AsyncIterable<Row>;
}

/** Sources one after another, as if they were one. @param sources at least one, of one format. */
export function concatenate(sources: readonly RowSource[]): RowSource {
  const counts = sources.map(() => undefined as number | undefined);

  /** Rows of source i, all of them. */
  const countOf = async (source: RowSource, i: number): Promise<number> =>
    (counts[i] ??= await source.count(Infinity));

  return {
    format: sources[0]?.format ?? '',

    async count(limit) {
      let rows = 0;
      for (const [i, source] of sources.entries()) {
        if (rows >= limit) break;
        rows += limit === Infinity ? await countOf(source, i) : await source.count(limit - rows);
      }
      return rows;
    },

    async *rows(start, end, columns) {
      let first = 0;
      for (const [i, source] of sources.entries()) {
        if (first >= end) return;
        yield* source.rows(Math.max(0, start - first), end - first, columns);
        // The last one's rows need no counting.
        if (i + 1 < sources.length) first += await countOf(source, i);
      }
    },
  };
}
