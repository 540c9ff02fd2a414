/** What rows are scored by: inputs of the run's own model, or the rows of another run. */
import fs from 'node:fs';
import { Run } from '../../lib/run/run';
import { readInputs } from '../query/inputs';
import type { QuerySession } from '../query/session';

/** The rows [width] of the queries at `from`, a file or a run. @throws QueryInputError, LayoutMismatchError */
export async function readQueries(
  session: QuerySession,
  from: string,
  conversationColumn?: string,
): Promise<Float32Array[]> {
  if (from === '-' || !fs.statSync(from, { throwIfNoEntry: false })?.isDirectory()) {
    const questions = await session.fromInputs(readInputs(from, conversationColumn));
    return questions.map(({ row }) => row);
  }
  return session.attributor.rowsOfRun(Run.open(from));
}
