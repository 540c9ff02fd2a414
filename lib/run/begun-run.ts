/** What an earlier call left of a run, and whether this call asks for the same. */
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { RunExistsError, RunMismatchError } from '../errors';
import { STORE_FILES, type StoreLayout } from '../store/format';
import { readManifest } from '../store/manifest';
import { sha256 } from '../store/record-file';
import type { TokenOffsets } from '../store/token-offsets';
import { GradientStoreWriter } from '../store/writer';
import { RUN_MANIFEST, readRunManifest, type RunDescription, type RunManifest } from './run-manifest';
import { runPaths } from './run-paths';

/** What a run must have been begun with for a call to go on with it. */
const FIXED = [
  'layers',
  'projection',
  'includeBias',
  'attention',
  'normalizer',
  'dtype',
  'examples',
  'backend',
] as const;
/** And, over a frozen model, or while one is trained. */
const FROZEN = [...FIXED, 'frozen', 'weightsDigest'] as const;
const TRAINED = [...FIXED, 'scaledByLearningRate', 'accumulate', 'trackOrder', 'optimizer'] as const;

/** What a call asks for; `weightsDigest` is known beforehand of a frozen model alone. */
type Asked = RunDescription & Partial<Pick<RunManifest, 'weightsDigest'>>;

/**
 * The manifest of the run in `directory`, which is to be as `asked`; null if nothing is there.
 * @throws RunExistsError if something else is there, RunMismatchError naming the first thing that differs
 */
export function readBegun(directory: string, asked: Asked): RunManifest | null {
  if (!fs.existsSync(directory)) return null;
  if (!fs.statSync(directory).isDirectory()) throw new RunExistsError(directory);
  const names = fs.readdirSync(directory);
  if (!names.includes(RUN_MANIFEST)) {
    // What is written before the manifest, and what a kill leaves of that.
    const earlier = [
      RUN_MANIFEST,
      ...[runPaths.config, runPaths.examples, runPaths.checkpoint].map((of) => path.basename(of(''))),
    ];
    if (names.every((name) => earlier.some((file) => name.startsWith(file)))) return null;
    throw new RunExistsError(directory);
  }
  const begun = readRunManifest(directory);
  if ((begun.frozen === null) !== (asked.frozen === null)) throw new RunExistsError(directory);
  checkSame(directory, begun, asked, asked.frozen === null ? TRAINED : FROZEN);
  return begun;
}

function checkSame(
  directory: string,
  begun: RunManifest,
  asked: Asked,
  fields: readonly (keyof Asked)[],
): void {
  for (const field of fields) {
    if (field === 'examples' && (begun.examples === null || asked.examples === null)) continue;
    const [expected, found] = [begun, asked].map((manifest) => JSON.stringify(manifest[field])) as [
      string,
      string,
    ];
    if (isDeepStrictEqual(JSON.parse(expected), JSON.parse(found))) continue;
    throw new RunMismatchError(directory, field, expected, found);
  }
}

/**
 * A writer for the store in `directory`, begun or gone on with; null if it is complete.
 * @throws RunMismatchError if it was begun with other `offsets`; CorruptStoreError, DiskWriteError
 */
export function openStore(
  directory: string,
  layout: StoreLayout,
  offsets: TokenOffsets | undefined,
): GradientStoreWriter | null {
  if (!fs.existsSync(path.join(directory, STORE_FILES.info)))
    return GradientStoreWriter.create(directory, layout, { offsets });
  if (offsets !== undefined) checkOffsets(path.join(directory, STORE_FILES.offsets), offsets);
  if (readManifest(directory) !== undefined) return null;
  return GradientStoreWriter.resume(directory, layout, { offsets });
}

function checkOffsets(file: string, offsets: TokenOffsets): void {
  const digests = [fs.readFileSync(file), offsets.encode()].map(sha256) as [string, string];
  if (digests[0] !== digests[1]) throw new RunMismatchError(file, 'offsets of sha256', ...digests);
}
