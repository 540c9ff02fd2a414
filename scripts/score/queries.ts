/** What rows are scored by: inputs of the run's own model, or the rows of another run. */
import fs from 'node:fs';
import { LayoutMismatchError } from '../../lib/errors';
import { Run } from '../../lib/run/run';
import type { Column } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { readInputs } from '../query/inputs';
import type { QuerySession } from '../query/session';

/** The rows [width] of the queries at `from`, a file or a run. @throws QueryInputError, LayoutMismatchError */
export async function readQueries(session: QuerySession, from: string): Promise<Float32Array[]> {
  if (from === '-' || !fs.statSync(from, { throwIfNoEntry: false })?.isDirectory()) {
    const questions = await session.fromInputs(readInputs(from));
    return questions.map(({ row }) => row);
  }
  const store = GradientStoreReader.open(Run.open(from).storeDirectory());
  try {
    const [left, right] = [describe(store.columns), describe(session.attributor.columns)];
    if (left !== right)
      throw new LayoutMismatchError(from, session.attributor.run.path, 'columns', left, right);
    const rows = Array.from({ length: store.rows }, (_, row) => row).flatMap((row) =>
      store.isWritten(row) ? store.row(row) : [],
    );
    return session.attributor.toStoreRows(rows);
  } finally {
    store.close();
  }
}

function describe(columns: readonly Column[]): string {
  return columns.map(({ layer, width }) => `${layer}: ${width}`).join(', ');
}
