/** Answers several queries as one. */
import type { StoreNeighbor, StoreNeighbors } from '../search/several-stores';

/**
 * `mean`: an example's score is its mean over the queries. `nearest`: it is that of the query it helps most or, among
 * the lowest, of the query it opposes most.
 */
export type Aggregate = 'mean' | 'nearest';

/** A neighbor, and which of the queries scored it; null where all did. */
export interface QueriedNeighbor extends StoreNeighbor {
  readonly query: number | null;
}

export interface QueriedNeighbors {
  readonly highest: readonly QueriedNeighbor[];
  readonly lowest: readonly QueriedNeighbor[];
}

/** The mean of `rows`, each [width]: a query's score being linear in its row, it scores by the mean of their scores. */
export function meanRow(rows: readonly Float32Array[]): Float32Array {
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) row.forEach((value, i) => (mean[i] = (mean[i] ?? 0) + value / rows.length));
  return Float32Array.from(mean);
}

/** The sum of `rows`, each [width], in float64; one row is its own sum. */
export function sumOfRows(rows: readonly Float32Array[]): Float32Array {
  const [first = new Float32Array(), ...others] = rows;
  if (others.length === 0) return first;
  const total = new Float64Array(first.length);
  for (const row of rows) row.forEach((value, i) => (total[i] = (total[i] ?? 0) + value));
  return Float32Array.from(total);
}

/** Says of each query's neighbors which query that is; null for one that stands for all. */
export function attributed({ highest, lowest }: StoreNeighbors, query: number | null): QueriedNeighbors {
  const withQuery = (neighbor: StoreNeighbor) => ({ ...neighbor, query });
  return { highest: highest.map(withQuery), lowest: lowest.map(withQuery) };
}

/**
 * The `k` nearest to any of the queries, of which `found` has the `k` nearest each: whatever is among the former is
 * among those of the query nearest to it. Of equal scores the lower example id comes first, then the earlier store, then the
 * lower query.
 */
export function nearest(found: readonly StoreNeighbors[], k: number): QueriedNeighbors {
  const end = (name: keyof StoreNeighbors, sign: 1 | -1): QueriedNeighbor[] => {
    const best = new Map<string, QueriedNeighbor>();
    found.forEach((neighbors, query) => {
      for (const neighbor of neighbors[name]) {
        const row = `${neighbor.store}:${neighbor.example}`;
        const known = best.get(row);
        if (known === undefined || sign * (neighbor.score - known.score) > 0) {
          best.set(row, { ...neighbor, query });
        }
      }
    });
    return [...best.values()]
      .sort((a, b) => sign * (b.score - a.score) || a.example - b.example || a.store - b.store)
      .slice(0, k);
  };
  return { highest: end('highest', 1), lowest: end('lowest', -1) };
}
