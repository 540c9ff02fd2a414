/** Makes room for a demo's run. */
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { RunExistsError } from '../../callbacks';
import { RUN_MANIFEST } from '../../lib/run/run-manifest';

/** Removes the run in `directory`, but nothing that is not a run. @throws RunExistsError */
export function removeRun(directory: string): void {
  if (existsSync(path.join(directory, RUN_MANIFEST))) rmSync(directory, { recursive: true });
  else if (existsSync(directory)) throw new RunExistsError(directory);
}
