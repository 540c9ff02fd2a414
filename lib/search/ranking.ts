/** From candidates to answers. */
import type { RowFile } from '../store/row-file';
import { Candidates } from './candidates';
import { exactScores, type Scoring } from './exact-scores';
import type { Neighbors } from './gradient-index';
import type { QueryCandidates } from './scan';
import { TopK } from './top-k';

/** Rows for each end of a query's ranking. */
export interface EndRows {
  readonly highest: ArrayLike<number>;
  readonly lowest: ArrayLike<number>;
}

/**
 * For each query the rows of `file` that may still be among the best and worst k of what several scans found. Throws
 * NonFiniteValueError, CorruptStoreError.
 */
export function mergeCandidates(
  file: RowFile,
  scoring: Scoring,
  k: number,
  parts: readonly (readonly QueryCandidates[])[],
): EndRows[] {
  return scoring.queries.map((_, query) => {
    const scale = parts[0]?.[query]?.scale ?? 1;
    const resolve = (rows: readonly number[]) => {
      const pairs = rows.map((row) => ({ row, query }));
      return exactScores(file, scoring, pairs).map((score) => score * scale);
    };
    const end = (name: keyof EndRows, sign: 1 | -1): Float64Array => {
      const together = new Candidates(k, sign, resolve);
      for (const part of parts) {
        const bounded = part[query]?.[name];
        bounded?.rows.forEach((row, i) => {
          together.offer(row, bounded.scores[i] ?? NaN, bounded.margins[i] ?? Infinity);
        });
      }
      return together.bounded().rows;
    };
    return { highest: end('highest', 1), lowest: end('lowest', -1) };
  });
}

/** The best k and the worst k of each query's rows by their exact scores. Throws as {@link exactScores} does. */
export function rankExactly(
  file: RowFile,
  scoring: Scoring,
  k: number,
  candidates: readonly EndRows[],
): Neighbors[] {
  const pairs: { row: number; query: number; ranking: TopK }[] = [];
  const rankings = candidates.map(({ highest, lowest }, query) => {
    const end = (rows: ArrayLike<number>, sign: 1 | -1): TopK => {
      const ranking = new TopK(k, sign);
      for (const row of Array.from(rows)) pairs.push({ row, query, ranking });
      return ranking;
    };
    return { highest: end(highest, 1), lowest: end(lowest, -1) };
  });
  exactScores(file, scoring, pairs).forEach((score, i) => {
    const pair = pairs[i];
    pair?.ranking.push(pair.row, score);
  });
  return rankings.map(({ highest, lowest }) => ({ highest: highest.sorted(), lowest: lowest.sorted() }));
}
