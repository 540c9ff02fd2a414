/** Exact inner products of a row with queries: summed in float64 in column order, whatever else is computed beside them. */
import type { ColumnRange } from '../../kernels/scan/column-ranges';

/**
 * Writes the inner products of `row` [width] with `queries` (each [width]), over the columns of `ranges`, to `out`
 * [queries]. Four queries at a time: independent sums hide the latency of an addition.
 */
export function innerProducts(
  row: Float32Array,
  queries: readonly Float32Array[],
  ranges: readonly ColumnRange[],
  out: Float64Array,
): void {
  for (let query = 0; query < queries.length; query += 4) {
    const p = queries[query] ?? row;
    const q = queries[query + 1] ?? p;
    const r = queries[query + 2] ?? p;
    const s = queries[query + 3] ?? p;
    let [a, b, c, d] = [0, 0, 0, 0];
    for (const { begin, end } of ranges) {
      for (let i = begin; i < end; i++) {
        // Products of two float32 are exact in float64. Indexes are within bounds; V8 drops `?? 0`.
        const value = row[i] ?? 0;
        a += value * (p[i] ?? 0);
        b += value * (q[i] ?? 0);
        c += value * (r[i] ?? 0);
        d += value * (s[i] ?? 0);
      }
    }
    out[query] = a;
    // Beyond the end, assignments to a typed array do nothing.
    out[query + 1] = b;
    out[query + 2] = c;
    out[query + 3] = d;
  }
}

/** The L2 norm of `row` over the columns of `ranges`. */
export function rowNorm(row: Float32Array, ranges: readonly ColumnRange[]): number {
  let sum = 0;
  for (const { begin, end } of ranges) {
    for (let i = begin; i < end; i++) sum += (row[i] ?? 0) ** 2;
  }
  return Math.sqrt(sum);
}
