/** What scores can be written as. */
import { AtomicFile } from '../store/atomic-file';
import { ParquetFile } from '../export/parquet-file';
import type { ScoreFile } from './score-file';

/**
 * `bergson`: a directory with `scores.bin` and `info.json`. `jsonl`: `{"example", "scores"}` a line. `parquet`: columns
 * `example` and `score_0`, …. The last two leave out rows that have no scores, and say of tokens their `position`.
 */
export type ScoreFormat = 'bergson' | 'jsonl' | 'parquet';

/** Makes `file`, which has all scores there are, what was asked for. @throws DiskWriteError */
export async function writeScores(file: ScoreFile, format: ScoreFormat): Promise<void> {
  if (format === 'bergson') {
    file.finish();
    return;
  }
  if (format === 'jsonl') writeLines(file);
  else await writeParquet(file);
  file.discard();
}

interface ScoredRow {
  readonly example: number;
  readonly position: number | undefined;
  readonly scores: Float32Array;
}

/** The rows of each block that have scores. */
function* scoredRows(file: ScoreFile): Generator<ScoredRow[], void, undefined> {
  const { queries, tokens } = file.layout;
  for (const { first, count, scores, written } of file.blocks()) {
    yield Array.from({ length: count }, (_, i) => i)
      .filter((i) => written[i] === 1)
      .map((i) => {
        const { example, position } = tokens?.tokenOf(first + i) ?? {
          example: first + i,
          position: undefined,
        };
        return { example, position, scores: scores.subarray(i * queries, (i + 1) * queries) };
      });
  }
}

function writeLines(file: ScoreFile): void {
  const out = AtomicFile.create(file.path);
  try {
    for (const rows of scoredRows(file)) {
      const lines = rows.map(
        ({ example, position, scores }) =>
          `${JSON.stringify({ example, position, scores: Array.from(scores) })}\n`,
      );
      out.write(Buffer.from(lines.join('')));
    }
    out.finish();
  } finally {
    out.abort();
  }
}

async function writeParquet(file: ScoreFile): Promise<void> {
  const { queries, tokens } = file.layout;
  const names = Array.from({ length: queries }, (_, i) => `score_${i}`);
  const out = await ParquetFile.create(file.path, [
    { name: 'example', type: 'INT32' },
    ...(tokens === undefined ? [] : [{ name: 'position', type: 'INT32' as const }]),
    ...names.map((name) => ({ name, type: 'FLOAT' as const })),
  ]);
  try {
    for (const rows of scoredRows(file)) {
      await out.write([
        Int32Array.from(rows, ({ example }) => example),
        ...(tokens === undefined ? [] : [Int32Array.from(rows, ({ position }) => position ?? 0)]),
        ...names.map((_, query) => Float32Array.from(rows, ({ scores }) => scores[query] ?? NaN)),
      ]);
    }
    await out.finish();
  } finally {
    out.abort();
  }
}
