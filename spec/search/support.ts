/** A brute-force search over rows in memory, obviously correct and slow. */
import type { Neighbors, SearchOptions } from '../../lib/search/gradient-index';
import type { Column } from '../../lib/store/format';

/** Neighbors of `query` among `rows` [n] of [width]; undefined rows were never written. */
export function bruteForce(
  rows: readonly (Float32Array | undefined)[],
  columns: readonly Column[],
  query: Float32Array,
  { k, unitNorm, layers }: SearchOptions,
): Neighbors {
  const layerOf = columns.flatMap(({ layer, width }) => Array.from({ length: width }, () => layer));
  const chosen = (column: number) => !layers || layers.includes(layerOf[column] ?? '');
  const scored = rows.flatMap((row, example) => {
    if (!row) return [];
    let score = 0;
    let square = 0;
    row.forEach((value, column) => {
      if (!chosen(column)) return;
      score += value * (query[column] ?? 0);
      square += value * value;
    });
    if (unitNorm) score = square === 0 ? 0 : score / Math.sqrt(square);
    return [{ example, score }];
  });
  const sorted = (sign: number) =>
    scored
      .slice()
      .sort((a, b) => sign * (b.score - a.score) || a.example - b.example)
      .slice(0, k);
  return { highest: sorted(1), lowest: sorted(-1) };
}

/** Standard normal numbers from a fixed seed. */
export function seededNormal(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
