/** Files of a preconditioner beside the store that it is of, and what their record says. Bytes: docs/format.md. */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptRecordError, PreconditionerMismatchError, PreconditionerNotFoundError } from '../errors';
import { guardWrite } from '../store/disk';
import { describeColumns, type Column } from '../store/format';
import { rowsChecksum } from '../store/manifest';
import type { GradientStoreReader } from '../store/reader';
import { isMap, readRecord, sha256, writeRecord } from '../store/record-file';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';
import type { Decomposition } from './decomposition';
import { Preconditioner } from './preconditioner';

/** The autocorrelation of queries that was mixed in. */
export interface MixedQueries {
  /** Of the gradients.bin that holds their rows. */
  readonly storeSha256: string;
  readonly examples: number;
  /** Of the store's own autocorrelation; the queries' has the rest to 1. */
  readonly share: number;
}

/** What `preconditioner.msgpack` holds. */
export interface PreconditionerRecord {
  /** In units of each layer's mean eigenvalue. */
  readonly damping: number;
  readonly columns: readonly Column[];
  /** How many examples the autocorrelation is over. */
  readonly examples: number;
  /** Of the gradients.bin whose autocorrelation it is. */
  readonly storeSha256: string;
  readonly queries: MixedQueries | null;
  /** Whether the autocorrelation is that of the store's rows, or was given. */
  readonly of: 'rows' | 'given';
  /** Of decomposition.safetensors. */
  readonly bytes: number;
  readonly sha256: string;
}

const KIND = { kind: 'preconditioner', version: 1 };

/** Paths of the preconditioner of the store in `storeDirectory`. */
export function preconditionerPaths(storeDirectory: string) {
  const directory = path.join(storeDirectory, 'preconditioner');
  return {
    directory,
    decomposition: path.join(directory, 'decomposition.safetensors'),
    record: path.join(directory, 'preconditioner.msgpack'),
    autocorrelation: path.join(directory, 'autocorrelation.safetensors'),
    autocorrelationRecord: path.join(directory, 'autocorrelation.msgpack'),
  };
}

/** Writes `preconditioner` into `storeDirectory`, the record last. @throws DiskWriteError */
export function writePreconditioner(
  storeDirectory: string,
  { decomposition, damping }: Preconditioner,
  { storeSha256, queries, of }: Pick<PreconditionerRecord, 'storeSha256' | 'queries' | 'of'>,
): PreconditionerRecord {
  const files = preconditionerPaths(storeDirectory);
  guardWrite(files.directory, 0, () => {
    fs.mkdirSync(files.directory, { recursive: true });
    // What is left of an earlier one must not pass for this one's.
    fs.rmSync(files.record, { force: true });
  });
  const tensors: Record<string, SafetensorsTensor> = {};
  for (const { layer, width, values, vectors } of decomposition.spectra) {
    tensors[eigenvalues(layer)] = { dtype: 'F64', shape: [width], data: values };
    tensors[eigenvectors(layer)] = { dtype: 'F64', shape: [width, width], data: vectors };
  }
  writeSafetensors(files.decomposition, tensors);
  const bytes = fs.readFileSync(files.decomposition);
  const record: PreconditionerRecord = {
    damping,
    columns: decomposition.spectra.map(({ layer, width }) => ({ layer, width })),
    examples: decomposition.examples,
    storeSha256,
    queries,
    of,
    bytes: bytes.length,
    sha256: sha256(bytes),
  };
  writeRecord(files.record, KIND, record);
  return record;
}

/** A store's preconditioner as it lies on disk. */
export interface StoredPreconditioner {
  readonly record: PreconditionerRecord;
  readonly preconditioner: Preconditioner;
}

/**
 * The preconditioner beside `store`.
 * @throws PreconditionerNotFoundError if there is none, or it was not finished; PreconditionerMismatchError if it is of
 *   other gradients or its file is damaged; CorruptRecordError, UnsupportedVersionError
 */
export function readPreconditioner(store: GradientStoreReader): StoredPreconditioner {
  const files = preconditionerPaths(store.directory);
  if (!fs.existsSync(files.record)) throw new PreconditionerNotFoundError(store.directory);
  const { payload } = readRecord(files.record, KIND);
  if (!isPreconditionerRecord(payload)) {
    throw new CorruptRecordError(files.record, 'payload', 'a preconditioner record', typeof payload);
  }
  const content = fs.existsSync(files.decomposition) ? fs.readFileSync(files.decomposition) : Buffer.alloc(0);
  const { storeSha256 } = payload;
  for (const [file, field, expected, found] of [
    [files.record, 'sha256 of gradients.bin', gradientsOf(store) ?? storeSha256, storeSha256],
    [files.record, 'columns', describeColumns(store.columns), describeColumns(payload.columns)],
    [files.decomposition, 'sha256', payload.sha256, sha256(content)],
  ] as const) {
    if (expected !== found) throw new PreconditionerMismatchError(file, field, expected, found);
  }
  const decomposition = readDecomposition(files.decomposition, payload);
  return { record: payload, preconditioner: Preconditioner.of(decomposition, payload) };
}

/** The checksum of the rows that a preconditioner beside `store` must be of; undefined for an unfinished store. */
function gradientsOf({ manifest }: GradientStoreReader): string | undefined {
  return manifest && (manifest.preconditioned?.sourceSha256 ?? rowsChecksum(manifest));
}

function readDecomposition(file: string, { columns, examples }: PreconditionerRecord): Decomposition {
  const tensors = SafetensorsFile.open(file);
  try {
    const read = (name: string) => tensors.read(name).data as Float64Array;
    const spectra = columns.map(({ layer, width }) => ({
      layer,
      width,
      values: read(eigenvalues(layer)),
      vectors: read(eigenvectors(layer)),
    }));
    return { examples, spectra };
  } finally {
    tensors.close();
  }
}

const eigenvalues = (layer: string) => `eigenvalues/${layer}`;
const eigenvectors = (layer: string) => `eigenvectors/${layer}`;

function isPreconditionerRecord(payload: unknown): payload is PreconditionerRecord {
  return (
    isMap(payload) &&
    typeof payload.damping === 'number' &&
    typeof payload.examples === 'number' &&
    typeof payload.storeSha256 === 'string' &&
    typeof payload.sha256 === 'string' &&
    Array.isArray(payload.columns)
  );
}
