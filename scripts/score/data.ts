/** Data that is scored in one pass, without a store: inputs as JSON lines, read as they are needed. */
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';
import type { RowBatch } from '../../lib/scores/score-rows';
import type { ScoredData } from '../../lib/scores/score-store';
import { QueryInputError } from '../query/errors';
import { parseInputs, type QueryInput } from '../query/inputs';
import type { QuerySession } from '../query/session';

/** Inputs whose gradients are computed at once. */
const BATCH = 32;

/** Line i of `file` is example i. Passes over it once to count them. @throws QueryInputError */
export async function openData(
  session: QuerySession,
  file: string,
  conversationColumn?: string,
): Promise<ScoredData> {
  let examples = 0;
  for await (const line of linesOf(file)) {
    if (line.trim() === '') throw new QueryInputError(`${file}, line ${examples + 1}`, 'is empty');
    examples++;
  }
  if (examples === 0) throw new QueryInputError(file, 'holds no example');
  const { size, mtimeMs } = fs.statSync(file);
  return {
    name: `${path.resolve(file)}, ${size} bytes, ${mtimeMs}`,
    examples,
    rows: (isScored) => rowsOf(session, file, isScored, conversationColumn),
  };
}

async function* rowsOf(
  session: QuerySession,
  file: string,
  isScored: (example: number) => boolean,
  conversationColumn: string | undefined,
): AsyncGenerator<RowBatch, void, undefined> {
  let ids: number[] = [];
  let inputs: QueryInput[] = [];
  let example = 0;
  for await (const line of linesOf(file)) {
    if (!isScored(example)) {
      ids.push(example);
      inputs.push(...parseInputs(`${file}, line ${example + 1}`, line, conversationColumn));
    }
    example++;
    if (ids.length === BATCH) {
      yield { ids: Int32Array.from(ids), rows: join(await session.rowsOf(inputs)) };
      [ids, inputs] = [[], []];
    }
  }
  if (ids.length > 0) yield { ids: Int32Array.from(ids), rows: join(await session.rowsOf(inputs)) };
}

async function* linesOf(file: string): AsyncGenerator<string, void, undefined> {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.isFile() !== true)
    throw new QueryInputError(file, `cannot be read (${stat === undefined ? 'ENOENT' : 'it is no file'})`);
  const lines = readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity });
  try {
    yield* lines;
  } finally {
    lines.close();
  }
}

/** Rows one after another. */
function join(rows: readonly Float32Array[]): Float32Array {
  const width = rows[0]?.length ?? 0;
  const joined = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    joined.set(row, i * width);
  });
  return joined;
}
