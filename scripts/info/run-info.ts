/** What a run holds, as `bergson info --json` prints it. */
import fs from 'node:fs';
import path from 'node:path';
import { BergsonError } from '../../lib/errors';
import type { Run } from '../../lib/run/run';
import type { RunManifest } from '../../lib/run/run-manifest';
import { runPaths } from '../../lib/run/run-paths';
import type { Column } from '../../lib/store/format';
import { GradientStoreReader, type StoreState } from '../../lib/store/reader';
import { diagnoseIndex, type IndexDiagnosis } from '../doctor/run-diagnosis';

export interface RunInfo extends Omit<RunManifest, 'coverage'> {
  readonly run: string;
  readonly coverage: { readonly attributed: number; readonly trained: number };
  readonly order: { readonly steps: number; readonly tornBytes: number } | null;
  readonly stores: readonly StoreInfo[];
  /** The columns of a row, in order; of the store that is searched by default. */
  readonly columns: readonly Column[];
  readonly bytes: DiskBytes;
  /** What is wrong with files that are not of a store. */
  readonly damaged: readonly string[];
}

/** One store; nulls where it cannot be opened. */
export interface StoreInfo {
  readonly name: string;
  readonly state: StoreState | null;
  readonly rows: number | null;
  readonly rowsWritten: number | null;
  /** Numbers in a row. */
  readonly width: number | null;
  readonly dtype: string | null;
  /** In which its values are exact: float32 where rows of float16 have scales. */
  readonly valueDtype: string | null;
  readonly bytes: number;
  readonly index: IndexDiagnosis | null;
  /** Files whose checksums were compared. */
  readonly verified: readonly string[];
  readonly problem: string | null;
}

/** Of files, sparse or not. */
export interface DiskBytes {
  readonly stores: number;
  readonly model: number;
  readonly records: number;
  readonly order: number;
  readonly normalizer: number;
  readonly total: number;
}

/** Damage is told, and all else all the same. @throws CorruptRecordError of the run's own manifest */
export async function collectInfo(run: Run, verify: boolean): Promise<RunInfo> {
  const { coverage, ...manifest } = run.manifest;
  const { attributed, trained } = coverage;
  const stores: StoreInfo[] = [];
  let columns: readonly Column[] = [];
  for (const name of run.stores) {
    const directory = run.storeDirectory(name);
    const found = await examine(name, directory, verify);
    stores.push(found.info);
    if (run.storeDirectory() === directory) columns = found.columns;
  }
  const damaged: string[] = [];
  return {
    run: run.path,
    ...manifest,
    coverage: { attributed, trained },
    order: readOrder(run, damaged),
    stores,
    columns,
    bytes: measure(run),
    damaged,
  };
}

function readOrder(run: Run, damaged: string[]): RunInfo['order'] {
  try {
    const order = run.trainingOrder();
    return order === undefined ? null : { steps: order.count, tornBytes: order.tornBytes };
  } catch (error) {
    if (!(error instanceof BergsonError)) throw error;
    damaged.push(error.message);
    return null;
  }
}

async function examine(
  name: string,
  directory: string,
  verify: boolean,
): Promise<{ info: StoreInfo; columns: readonly Column[] }> {
  const bytes = bytesIn(directory);
  let store: GradientStoreReader;
  try {
    store = GradientStoreReader.open(directory);
  } catch (error) {
    if (!(error instanceof BergsonError)) throw error;
    const unknown = {
      state: null,
      rows: null,
      rowsWritten: null,
      width: null,
      dtype: null,
      valueDtype: null,
    };
    return {
      info: { name, ...unknown, bytes, index: null, verified: [], problem: error.message },
      columns: [],
    };
  }
  try {
    const { state, rows, rowsWritten, width, dtype, valueDtype, columns } = store;
    const { verified, problem } = verify ? await check(store) : { verified: [], problem: null };
    const index = diagnoseIndex(store);
    return {
      info: { name, state, rows, rowsWritten, width, dtype, valueDtype, bytes, index, verified, problem },
      columns,
    };
  } finally {
    store.close();
  }
}

async function check(store: GradientStoreReader): Promise<{ verified: string[]; problem: string | null }> {
  try {
    return { verified: await store.verify(), problem: null };
  } catch (error) {
    if (!(error instanceof BergsonError)) throw error;
    return { verified: [], problem: error.message };
  }
}

function measure(run: Run): DiskBytes {
  const order = bytesIn(runPaths.trainingOrder(run.path));
  return {
    stores: bytesIn(runPaths.stores(run.path)) - order,
    model: bytesIn(runPaths.model(run.path)),
    records: bytesIn(runPaths.examples(run.path)),
    order,
    normalizer: bytesIn(runPaths.normalizer(run.path)),
    total: bytesIn(run.path),
  };
}

/** Of a file, or of all files in a directory; 0 where there is nothing. */
function bytesIn(place: string): number {
  const stat = fs.statSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return stat.size;
  return fs.readdirSync(place).reduce((sum, name) => sum + bytesIn(path.join(place, name)), 0);
}
