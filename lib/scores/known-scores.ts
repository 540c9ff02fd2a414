/** Writes scores that are known already, as scores of searches are written. */
import { createHash } from 'node:crypto';
import { NonFiniteValueError } from '../errors';
import type { TokenOffsets } from '../store/token-offsets';
import { ScoreFile } from './score-file';
import { writeScores, type ScoreFormat } from './score-formats';
import type { ScoreSummary } from './score-store';

export interface KnownScores {
  /** For each query the score of each row: [queries] of [rows]; NaN for rows that have none. */
  readonly scores: readonly Float64Array[];
  /** Whose rows are whose, where each token has a row. */
  readonly tokens?: TokenOffsets | undefined;
}

/** Rounds to float32. @throws OutputExistsError, ScoresMismatchError, NonFiniteValueError naming the row, DiskWriteError */
export async function writeKnownScores(
  path: string,
  { scores, tokens }: KnownScores,
  format: ScoreFormat = 'bergson',
): Promise<ScoreSummary> {
  const queries = scores.length;
  const rows = scores[0]?.length ?? 0;
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of scores)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  const file = ScoreFile.begin(path, { rows, queries, tokens, identity: hash.digest('hex') });
  try {
    const held = Array.from({ length: rows }, (_, row) => row).filter(
      (row) => !Number.isNaN(scores[0]?.[row]),
    );
    const cells = new Float32Array(held.length * queries);
    held.forEach((row, i) => {
      scores.forEach((values, query) => {
        const score = Math.fround(values[row] ?? NaN);
        if (!Number.isFinite(score)) throw new NonFiniteValueError('the score', score, undefined, row);
        cells[i * queries + query] = score;
      });
    });
    file.write(held, cells);
    const summary = { path, rows, scored: held.length, computed: held.length, queries };
    await writeScores(file, format);
    return summary;
  } finally {
    file.close();
  }
}
