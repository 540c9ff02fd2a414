/** Files of a projected index beside its store, and what their record says. Bytes: docs/format.md. */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptRecordError, IndexMismatchError } from '../errors';
import type { FileChecksum } from '../store/manifest';
import type { GradientStoreReader } from '../store/reader';
import { isMap, readRecord, writeRecord } from '../store/record-file';
import type { RecallCertificate } from './certificate';
import { indexPaths, storeChecksum } from './hnsw-format';

/** How rows are projected. */
export interface ProjectionSettings {
  /** Seeds the sample of rows that the axes are found from. */
  readonly seed: number;
  /** Index rows divided by their norm: answers searches with `unitNorm`, and no others. */
  readonly unitNorm: boolean;
}

/** What `projected.msgpack` holds. */
export interface ProjectedRecord extends ProjectionSettings {
  readonly space: 'ip';
  /** Numbers in a row of the store, and in a projected one. */
  readonly width: number;
  readonly dimension: number;
  /** Rows in the index. */
  readonly count: number;
  /** A power of two by which projected rows are multiplied, so that float16 holds them. */
  readonly scale: number;
  /**
   * How far a score of projected rows is taken to be off: in standard deviations, if what is missing of the query and of
   * the row pointed anywhere in the space beside the axes.
   */
  readonly deviations: number;
  /** Of the gradients.bin that was projected. */
  readonly storeSha256: string;
  /** Of projected.bin and projection.safetensors. */
  readonly files: Readonly<Record<string, FileChecksum>>;
  /** Absent until recall was measured. */
  readonly certificate?: RecallCertificate;
}

const KIND = { kind: 'projected-index', version: 1 };

/** Names in the index's directory. */
export const PROJECTED_FILES = { rows: 'projected.bin', projection: 'projection.safetensors' } as const;

export function projectedPaths(storeDirectory: string) {
  const { directory } = indexPaths(storeDirectory);
  return {
    directory,
    rows: path.join(directory, PROJECTED_FILES.rows),
    projection: path.join(directory, PROJECTED_FILES.projection),
    record: path.join(directory, 'projected.msgpack'),
  };
}

export function writeProjectedRecord(storeDirectory: string, record: ProjectedRecord): void {
  writeRecord(projectedPaths(storeDirectory).record, KIND, record);
}

/**
 * The record of the projected index beside `store`, or undefined when there is none. Throws
 * {@link IndexMismatchError} when it was built from other gradients or its files have other sizes,
 * IncompleteStoreError, CorruptRecordError, UnsupportedVersionError.
 */
export function readProjectedRecord(store: GradientStoreReader): ProjectedRecord | undefined {
  const { directory, record } = projectedPaths(store.directory);
  if (!fs.existsSync(record)) return undefined;
  const { payload } = readRecord(record, KIND);
  if (!isProjectedRecord(payload)) {
    throw new CorruptRecordError(record, 'payload', 'the record of an index', JSON.stringify(payload));
  }
  for (const [field, expected, found] of [
    ['sha256 of gradients.bin', storeChecksum(store), payload.storeSha256],
    ['width', store.width, payload.width],
    ['count', store.rowsWritten, payload.count],
  ] as const) {
    if (expected !== found) throw new IndexMismatchError(record, field, expected, found);
  }
  for (const [name, { bytes }] of Object.entries(payload.files)) {
    const file = path.join(directory, name);
    const found = fs.existsSync(file) ? fs.statSync(file).size : 0;
    if (found !== bytes) throw new IndexMismatchError(file, 'bytes', bytes, found);
  }
  return payload;
}

function isProjectedRecord(payload: unknown): payload is ProjectedRecord {
  return (
    isMap(payload) &&
    payload.space === 'ip' &&
    typeof payload.unitNorm === 'boolean' &&
    typeof payload.dimension === 'number' &&
    typeof payload.scale === 'number' &&
    typeof payload.deviations === 'number' &&
    isMap(payload.files) &&
    Object.values(PROJECTED_FILES).every((name) => isMap(payload.files) && name in payload.files)
  );
}
