/** From candidates to answers. */
import type { RowFile } from '../store/row-file';
import { exactScores, type Scoring } from './exact-scores';
import type { Neighbors } from './gradient-index';
import { collector, type QueryCandidates, type ScanTask } from './scan';
import { TopK } from './top-k';

/** Rows for each end of a query's ranking. */
export interface EndRows {
  readonly highest: ArrayLike<number>;
  readonly lowest: ArrayLike<number>;
}

/**
 * For each query of `task` the rows that may still be among the best and worst k of what several scans found. Throws
 * NonFiniteValueError, CorruptStoreError.
 */
export function mergeCandidates(
  task: Omit<ScanTask, 'nextBlock'>,
  parts: readonly (readonly QueryCandidates[])[],
): EndRows[] {
  return task.queries.map((_, query) => {
    const scale = parts[0]?.[query]?.scale ?? 1;
    const end = (name: keyof EndRows, sign: 1 | -1): Float64Array => {
      const together = collector(task, query, sign, scale);
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
