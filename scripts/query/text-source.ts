/** Where a run's language model lies, if it is of one. Loads nothing. */
import fs from 'node:fs';
import path from 'node:path';
import type { Run } from '../../lib/run/run';
import type { ModelReference } from '../../lib/run/run-manifest';
import { runPaths } from '../../lib/run/run-paths';

export interface TextSource {
  readonly model: Pick<ModelReference, 'path' | 'tokenizer'>;
  /** How the run's examples' losses combine those of their tokens; null where nobody says. */
  readonly lossReduction: 'sum' | 'mean' | null;
}

/**
 * Outside the run for one that `bergson build` made; inside it, in Hugging Face's format, for one that `bergson train`
 * made, which differentiates the mean over an example's tokens. Null for a run that is of no language model.
 */
export function textSource({ path: run, manifest: { frozen } }: Run): TextSource | null {
  const elsewhere = frozen?.model ?? null;
  if (elsewhere !== null) return { model: elsewhere, lossReduction: frozen?.lossReduction ?? null };
  const directory = runPaths.model(run);
  if (!fs.existsSync(path.join(directory, 'config.json'))) return null;
  return { model: { path: directory, tokenizer: directory }, lossReduction: 'mean' };
}
