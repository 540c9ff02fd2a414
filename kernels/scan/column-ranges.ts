/** Stretches of a row's columns. */

/** A half-open stretch of columns. */
export interface ColumnRange {
  readonly begin: number;
  readonly end: number;
}

/** The columns of `ranges`, one after another: [sum of lengths]. */
export function gatherColumns(row: Float32Array, ranges: readonly ColumnRange[]): Float32Array {
  const out = new Float32Array(ranges.reduce((sum, { begin, end }) => sum + end - begin, 0));
  let done = 0;
  for (const { begin, end } of ranges) {
    out.set(row.subarray(begin, end), done);
    done += end - begin;
  }
  return out;
}
