/** What set-up came to, and the stamp that lets scripts/bootstrap.mjs skip it next time. */
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../kernels/package-root';

export interface Outcome {
  readonly part: 'tensorflow' | 'hnswlib' | 'projection';
  readonly ready: boolean;
  /** What works, or why not and how to mend it. */
  readonly detail: string;
  /** Files it rests on. */
  readonly files: readonly string[];
}

/** Records in a clone that everything is set up, with the state of all files it rests on; or that it is not. */
export function stamp(outcomes: readonly Outcome[]): void {
  const modules = join(packageRoot(), 'node_modules');
  if (!existsSync(modules)) return;
  const file = join(modules, '.bergson-setup.json');
  if (!outcomes.every((outcome) => outcome.ready)) {
    rmSync(file, { force: true });
    return;
  }
  const files = outcomes.flatMap((outcome) => outcome.files).map((path) => [path, statSync(path).mtimeMs]);
  writeFileSync(file, JSON.stringify({ node: process.version, files: Object.fromEntries(files) as object }));
}
