/** `store.msgpack`: the record that says a gradient store is complete, and what its files must be. */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptRecordError } from '../errors';
import { STORE_FILES, checkLayout, type StoreLayout } from './format';
import { isMap, readRecord, sha256, writeRecord } from './record-file';

/** A file's length in bytes and the hexadecimal sha256 of its content. */
export interface FileChecksum {
  readonly bytes: number;
  readonly sha256: string;
}

/** What was done to a store's rows beyond collecting them. */
export interface PreconditionedRows {
  /** Each row g of the store it was made from is H^-1/2 g here. */
  readonly power: 'inverse-root';
  /** In units of each layer's mean eigenvalue. */
  readonly damping: number;
  /** Of the gradients.bin that the rows were made from. */
  readonly sourceSha256: string;
  /** Of the preconditioner's decomposition.safetensors. */
  readonly sha256: string;
}

export interface StoreManifest {
  readonly layout: StoreLayout;
  /** Checksums by file name: info.json, gradients.bin, written.bin, norms.safetensors, and others where they are. */
  readonly files: Readonly<Record<string, FileChecksum>>;
  /** How many rows were written at least once. */
  readonly rowsWritten: number;
  /** How many times a row replaced an earlier one. */
  readonly rewritten: number;
  /** The names of the stores summed into this one; empty for a store that was collected. */
  readonly sources: readonly string[];
  /** How the rows were preconditioned; null for rows as they were collected. */
  readonly preconditioned: PreconditionedRows | null;
  /**
   * The share of the rows' summed squares that rounding to float16 took, of those of the process that finished the store;
   * null where nothing was rounded, or nobody knows.
   */
  readonly energyLost: number | null;
}

const KIND = { kind: 'gradient-store', version: 1 };

/** Writes the manifest of the store in `directory`: from then on the store counts as complete. */
export function writeManifest(directory: string, manifest: StoreManifest): void {
  writeRecord(path.join(directory, STORE_FILES.manifest), KIND, manifest);
}

/**
 * The manifest of the store in `directory`, or undefined when there is none: the store was never closed.
 * Throws CorruptRecordError, UnsupportedVersionError.
 */
export function readManifest(directory: string): StoreManifest | undefined {
  const file = path.join(directory, STORE_FILES.manifest);
  if (!fs.existsSync(file)) return undefined;
  const { payload } = readRecord(file, KIND);
  if (!isManifest(payload)) {
    throw new CorruptRecordError(file, 'payload', 'a store manifest', JSON.stringify(payload));
  }
  checkLayout(payload.layout, file);
  return payload;
}

/** What tells a store's rows from all others: the sha256 of `gradients.bin`, with that of `scales.bin` where there is one. */
export function rowsChecksum({ files }: StoreManifest): string {
  const [gradients = '', scales] = [STORE_FILES.gradients, STORE_FILES.scales].map(
    (name) => files[name]?.sha256,
  );
  return scales === undefined ? gradients : sha256(Buffer.from(gradients + scales));
}

function isManifest(payload: unknown): payload is StoreManifest {
  return (
    isMap(payload) &&
    isMap(payload.layout) &&
    Array.isArray(payload.layout.columns) &&
    isMap(payload.files) &&
    STORE_FILES.gradients in payload.files &&
    typeof payload.rowsWritten === 'number' &&
    typeof payload.rewritten === 'number' &&
    Array.isArray(payload.sources) &&
    typeof payload.preconditioned === 'object' &&
    (payload.energyLost === null || typeof payload.energyLost === 'number')
  );
}
