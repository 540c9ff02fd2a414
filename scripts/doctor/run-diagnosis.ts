/** What a run knows of itself, as `bergson doctor RUN --json` prints it. */
import path from 'node:path';
import { BergsonError } from '../../lib/errors';
import type { Run } from '../../lib/run/run';
import type { RunManifest } from '../../lib/run/run-manifest';
import { readProjectedRecord } from '../../lib/search/projected-format';
import { RECALL_THRESHOLD } from '../../lib/search/open-index';
import { diagnosePreconditioner, type PreconditionerDiagnosis } from './preconditioner-diagnosis';
import { GradientStoreReader, type StoreState } from '../../lib/store/reader';
import { readRunCheck } from '../../lib/verification/run-check';
import { trustLines, type TrustLine } from './trust-report';

export interface RunDiagnosis extends RunManifest {
  readonly run: string;
  /** What was recorded of the order of examples; null where it was not tracked. */
  readonly order: { readonly steps: number; readonly tornBytes: number } | null;
  readonly stores: readonly StoreDiagnosis[];
  /** How far the store that is searched is to be trusted, question by question. */
  readonly trust: readonly TrustLine[];
}

export interface StoreDiagnosis {
  readonly name: string;
  readonly state: StoreState;
  readonly rows: number;
  readonly rowsWritten: number;
  /** Numbers in a row. */
  readonly width: number;
  /** What rounding to float16 took; null where nothing was rounded, or nobody knows. */
  readonly energyLost: number | null;
  readonly index: IndexDiagnosis | null;
  /** Null for a store without one; words for one that cannot be used. */
  readonly preconditioner: PreconditionerDiagnosis | string | null;
}

/** Of an index: what was measured, or what is wrong with it. */
export interface IndexDiagnosis {
  readonly recall: { readonly k: number; readonly recall: number; readonly lowerBound: number } | null;
  /** Whether queries search through it, unless told otherwise. */
  readonly used: boolean;
  readonly problem: string | null;
}

/** @throws CorruptStoreError, CorruptRecordError and other errors of damaged files */
export function diagnoseRun(run: Run): RunDiagnosis {
  const order = run.trainingOrder();
  const diagnosis = {
    run: run.path,
    ...run.manifest,
    order: order === undefined ? null : { steps: order.count, tornBytes: order.tornBytes },
    stores: [...run.stores, ...run.preconditionedStores].map((name) =>
      diagnoseStore(name, run.storeDirectory(name)),
    ),
  };
  const searched = run.stores.length === 0 ? undefined : path.basename(run.storeDirectory());
  const store = diagnosis.stores.find(({ name }) => name === searched);
  return { ...diagnosis, trust: trustLines(run.manifest, store, readRunCheck(run.path)) };
}

function diagnoseStore(name: string, directory: string): StoreDiagnosis {
  const store = GradientStoreReader.open(directory);
  try {
    const { state, rows, rowsWritten, width } = store;
    return {
      name,
      state,
      rows,
      rowsWritten,
      width,
      energyLost: store.manifest?.energyLost ?? null,
      index: diagnoseIndex(store),
      preconditioner: diagnosePreconditioner(store),
    };
  } finally {
    store.close();
  }
}

export function diagnoseIndex(store: GradientStoreReader): IndexDiagnosis | null {
  try {
    const record = readProjectedRecord(store);
    if (record === undefined) return null;
    if (record.certificate === undefined) return { recall: null, used: false, problem: null };
    const { k, recall, lowerBound } = record.certificate;
    return { recall: { k, recall, lowerBound }, used: lowerBound >= RECALL_THRESHOLD, problem: null };
  } catch (error) {
    if (error instanceof BergsonError) return { recall: null, used: false, problem: error.message };
    throw error;
  }
}
