/** Inner products of many rows with many queries, in plain JavaScript. */

/** A half-open stretch of columns. */
export interface ColumnRange {
  readonly begin: number;
  readonly end: number;
}

/**
 * Writes the inner products of `count` rows of `rows` [count, width] with `queries` (each [width]), over the
 * columns of `ranges`, to `out` [queries, count]. Each product is summed in float64 in column order: a score
 * depends on nothing but its row, its query and the ranges.
 *
 * Four rows and two queries at a time: eight independent sums hide the latency of an addition, and each
 * number loaded is used two or four times.
 */
export function innerProducts(
  rows: Float32Array,
  count: number,
  width: number,
  queries: readonly Float64Array[],
  ranges: readonly ColumnRange[],
  out: Float64Array,
): void {
  out.fill(0, 0, queries.length * count);
  for (const { begin, end } of ranges) {
    let row = 0;
    for (; row + 4 <= count; row += 4) {
      let query = 0;
      for (; query + 2 <= queries.length; query += 2) {
        const [p, q] = [queries[query], queries[query + 1]];
        if (p && q) fourByTwo(rows, row * width, width, p, q, begin, end, out, query * count + row, count);
      }
      const last = queries[query];
      if (last) fourByOne(rows, row * width, width, last, begin, end, out, query * count + row);
    }
    for (; row < count; row++) {
      queries.forEach((query, i) => {
        const slot = i * count + row;
        out[slot] = oneByOne(rows, row * width, query, begin, end, out[slot] ?? 0);
      });
    }
  }
}

// In the loops below every index is within bounds: `!`-free code needs `?? 0`, which V8 drops.

function fourByTwo(
  rows: Float32Array,
  start: number,
  width: number,
  p: Float64Array,
  q: Float64Array,
  begin: number,
  end: number,
  out: Float64Array,
  slot: number,
  count: number,
): void {
  const second = slot + count;
  let p0 = out[slot] ?? 0;
  let p1 = out[slot + 1] ?? 0;
  let p2 = out[slot + 2] ?? 0;
  let p3 = out[slot + 3] ?? 0;
  let q0 = out[second] ?? 0;
  let q1 = out[second + 1] ?? 0;
  let q2 = out[second + 2] ?? 0;
  let q3 = out[second + 3] ?? 0;
  const start1 = start + width;
  const start2 = start1 + width;
  const start3 = start2 + width;
  for (let i = begin; i < end; i++) {
    const pi = p[i] ?? 0;
    const qi = q[i] ?? 0;
    const r0 = rows[start + i] ?? 0;
    const r1 = rows[start1 + i] ?? 0;
    const r2 = rows[start2 + i] ?? 0;
    const r3 = rows[start3 + i] ?? 0;
    p0 += r0 * pi;
    q0 += r0 * qi;
    p1 += r1 * pi;
    q1 += r1 * qi;
    p2 += r2 * pi;
    q2 += r2 * qi;
    p3 += r3 * pi;
    q3 += r3 * qi;
  }
  out[slot] = p0;
  out[slot + 1] = p1;
  out[slot + 2] = p2;
  out[slot + 3] = p3;
  out[second] = q0;
  out[second + 1] = q1;
  out[second + 2] = q2;
  out[second + 3] = q3;
}

function fourByOne(
  rows: Float32Array,
  start: number,
  width: number,
  p: Float64Array,
  begin: number,
  end: number,
  out: Float64Array,
  slot: number,
): void {
  let p0 = out[slot] ?? 0;
  let p1 = out[slot + 1] ?? 0;
  let p2 = out[slot + 2] ?? 0;
  let p3 = out[slot + 3] ?? 0;
  const start1 = start + width;
  const start2 = start1 + width;
  const start3 = start2 + width;
  for (let i = begin; i < end; i++) {
    const pi = p[i] ?? 0;
    p0 += (rows[start + i] ?? 0) * pi;
    p1 += (rows[start1 + i] ?? 0) * pi;
    p2 += (rows[start2 + i] ?? 0) * pi;
    p3 += (rows[start3 + i] ?? 0) * pi;
  }
  out[slot] = p0;
  out[slot + 1] = p1;
  out[slot + 2] = p2;
  out[slot + 3] = p3;
}

function oneByOne(
  rows: Float32Array,
  start: number,
  query: Float64Array,
  begin: number,
  end: number,
  sum: number,
): number {
  for (let i = begin; i < end; i++) sum += (rows[start + i] ?? 0) * (query[i] ?? 0);
  return sum;
}
