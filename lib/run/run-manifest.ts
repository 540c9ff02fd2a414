/** `run.msgpack`: what a run is of, and how far it got. Bytes: docs/format.md. */
import path from 'node:path';
import type { IncludeBias } from '../capture/attributed-layers';
import type { Coverage } from '../capture/coverage';
import type { Attribute } from '../example-row';
import type { Attention } from '../layers/attention-heads';
import type { ProjectionOptions } from '../projection';
import type { RowDtype } from '../store/format';
import { CorruptRecordError } from '../errors';
import { isMap, readRecord, writeRecord } from '../store/record-file';

/** The file's name. */
export const RUN_MANIFEST = 'run.msgpack';

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

/** How a run went over a model that does not change. */
export interface FrozenPass {
  /** What has a row: each example, or each of its tokens. */
  readonly attribute: Attribute;
  /** How the loss of an example combines those of its tokens; null where the caller computes it. */
  readonly lossReduction: 'sum' | 'mean' | null;
  /** Where the model lies that the run has no copy of; null where it does. */
  readonly model: ModelReference | null;
}

/** A model outside the run. */
export interface ModelReference {
  /** Its directory, absolute. */
  readonly path: string;
  /** The tokenizer's file or directory, absolute; null where there is none. */
  readonly tokenizer: string | null;
  /** What kind of model it is, such as `gpt2`; null where it is not known. */
  readonly architecture: string | null;
}

/** An example that has no row, and why. */
export interface FailedExample {
  readonly example: number;
  readonly reason: string;
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
  /** The name of what gradients are divided by; `none` where they are not, `identity` where the optimizer does not. */
  readonly normalizer: string;
  /** Whether each step's rows are multiplied by its learning rate. */
  readonly scaledByLearningRate: boolean;
  readonly accumulate: boolean;
  readonly trackOrder: boolean;
  /** Class of the optimizer; null where the model is not compiled and none was named. */
  readonly optimizer: string | null;
  /** Names of the model's losses, in the order of its outputs; null for a loss that has none. */
  readonly losses: readonly (string | null)[];
  /** How a frozen model was gone through; null for a run of training. */
  readonly frozen: FrozenPass | null;
  /** The directory of the Bergson index that it was imported from, absolute; only there in such a run. */
  readonly imported?: string;
}

export interface RunManifest extends RunDescription {
  /** `'complete'` once the last file is in place; otherwise later, it means that the process ended early. */
  readonly state: 'training' | 'collecting' | 'complete';
  /** Finished epochs, in order. */
  readonly epochs: readonly EpochRecord[];
  /** sha256 of the model's weights when training ended, null before; of a frozen model's from the start. */
  readonly weightsDigest: string | null;
  /** Examples of a frozen pass that have no row although it came to them. */
  readonly failed: readonly FailedExample[];
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
  return path.join(directory, RUN_MANIFEST);
}
