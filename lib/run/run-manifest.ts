/** `run.msgpack`: what a run is of, and how far it got. Bytes: docs/format.md. */
import path from 'node:path';
import type { IncludeBias } from '../capture/attributed-layers';
import type { Coverage } from '../capture/coverage';
import type { Attention } from '../layers/attention-heads';
import type { ProjectionOptions } from '../projection';
import type { RowDtype } from '../store/format';
import { CorruptRecordError } from '../errors';
import { isMap, readRecord, writeRecord } from '../store/record-file';

const RECORD = { kind: 'tfjs-bergson run', version: 1 };

/** A layer as the run attributes it, or one part of a layer that has several gradient matrices. */
export interface LayerRecord {
  readonly path: string;
  readonly className: string;
  /** [O, I] of its gradient, the bias included if attributed. */
  readonly gradientShape: readonly [outputs: number, inputs: number];
  /** Whether its gradients come from running it once more for each example alone, since its class has no adapter. */
  readonly fallback: boolean;
}

export interface EpochRecord {
  readonly epoch: number;
  /** Steps of this epoch. */
  readonly steps: number;
  /** Rows its store holds; short of the run's examples only if training stopped inside the epoch. */
  readonly rows: number;
}

/** What a run is of: fixed before its first step. */
export interface RunDescription {
  /** ISO 8601. */
  readonly created: string;
  readonly versions: Readonly<Record<'tfjs-bergson' | 'tfjs' | 'node', string>>;
  readonly backend: string;
  /** Rows of the training data; where training does not tell, those its finished epochs met, and null before. */
  readonly examples: number | null;
  readonly layers: readonly LayerRecord[];
  readonly coverage: Coverage;
  readonly projection: ProjectionOptions;
  readonly includeBias: IncludeBias;
  /** Which layers' gradients are split by head, and how. */
  readonly attention: Attention;
  readonly dtype: RowDtype;
  readonly normalizer: 'none' | 'adam';
  readonly accumulate: boolean;
  readonly trackOrder: boolean;
  /** Class of the optimizer; null where the model is not compiled and none was named. */
  readonly optimizer: string | null;
  /** Names of the model's losses, in the order of its outputs; null for a loss that has none. */
  readonly losses: readonly (string | null)[];
}

export interface RunManifest extends RunDescription {
  /** `'training'` until the last file is in place; found so later, it means that the process ended early. */
  readonly state: 'training' | 'complete';
  /** Finished epochs, in order. */
  readonly epochs: readonly EpochRecord[];
  /** sha256 of the model's weights when training ended; null before. */
  readonly weightsDigest: string | null;
}

/** Throws DiskWriteError. */
export function writeRunManifest(directory: string, manifest: RunManifest): void {
  writeRecord(manifestFile(directory), RECORD, manifest);
}

/** Throws CorruptRecordError, UnsupportedVersionError, and the file system's own error if there is none. */
export function readRunManifest(directory: string): RunManifest {
  const file = manifestFile(directory);
  const { payload } = readRecord(file, RECORD);
  if (!isMap(payload) || !Array.isArray(payload.layers) || !Array.isArray(payload.epochs)) {
    throw new CorruptRecordError(file, 'payload', 'a run manifest', typeof payload);
  }
  return payload as unknown as RunManifest;
}

function manifestFile(directory: string): string {
  return path.join(directory, 'run.msgpack');
}
