/** Files of an HNSW index beside its store, and what their record says. */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptRecordError, IncompleteStoreError, IndexMismatchError } from '../errors';
import { rowsChecksum } from '../store/manifest';
import type { GradientStoreReader } from '../store/reader';
import { isMap, readRecord, writeRecord } from '../store/record-file';
import type { RecallCertificate } from './certificate';

/** How the graph is built. */
export interface HnswSettings {
  /** Links a row keeps on each level; twice as many on the lowest. */
  readonly m: number;
  /** Candidates weighed for each row inserted: higher is slower to build and finds more. */
  readonly efConstruction: number;
  /** Seeds the levels of the graph. */
  readonly seed: number;
}

/** What `index.msgpack` holds. */
export interface HnswRecord extends HnswSettings {
  /** Numbers in an indexed point: a projected row's. */
  readonly dimension: number;
  readonly space: 'ip';
  /** Whether rows were divided by their norm: it answers searches with `unitNorm`, and no others. */
  readonly unitNorm: boolean;
  /** Rows in the index. */
  readonly count: number;
  /** Candidates a search gathers at each end before it ranks them exactly. */
  readonly ef: number;
  /** Of the gradients.bin that was indexed, and of the projected rows that are the graph's points. */
  readonly storeSha256: string;
  readonly projectedSha256: string;
  /** Of hnsw.bin. */
  readonly bytes: number;
  readonly sha256: string;
  /** Absent until recall was measured. */
  readonly certificate?: RecallCertificate;
}

const KIND = { kind: 'hnsw-index', version: 1 };

/** Paths of the index of the store in `storeDirectory`. */
export function indexPaths(storeDirectory: string): { directory: string; graph: string; record: string } {
  const directory = path.join(storeDirectory, 'index');
  return {
    directory,
    graph: path.join(directory, 'hnsw.bin'),
    record: path.join(directory, 'index.msgpack'),
  };
}

/** The checksum of the rows of `store`. Throws {@link IncompleteStoreError} unless it is complete. */
export function storeChecksum(store: GradientStoreReader): string {
  if (store.manifest) return rowsChecksum(store.manifest);
  throw new IncompleteStoreError(store.directory, store.rowsWritten, store.rows);
}

export function writeIndexRecord(storeDirectory: string, record: HnswRecord): void {
  writeRecord(indexPaths(storeDirectory).record, KIND, record);
}

/**
 * The index record beside `store`, or undefined when there is none. Throws {@link IndexMismatchError} when
 * it was built from other gradients or its graph has another size, IncompleteStoreError,
 * CorruptRecordError, UnsupportedVersionError.
 */
export function readIndexRecord(store: GradientStoreReader): HnswRecord | undefined {
  const files = indexPaths(store.directory);
  if (!fs.existsSync(files.record)) return undefined;
  const { payload } = readRecord(files.record, KIND);
  if (!isHnswRecord(payload)) {
    throw new CorruptRecordError(files.record, 'payload', 'an index record', JSON.stringify(payload));
  }
  const bytes = fs.existsSync(files.graph) ? fs.statSync(files.graph).size : 0;
  for (const [file, field, expected, found] of [
    [files.record, 'sha256 of gradients.bin', storeChecksum(store), payload.storeSha256],
    [files.record, 'count', store.rowsWritten, payload.count],
    [files.graph, 'bytes', payload.bytes, bytes],
  ] as const) {
    if (expected !== found) throw new IndexMismatchError(file, field, expected, found);
  }
  return payload;
}

function isHnswRecord(payload: unknown): payload is HnswRecord {
  return (
    isMap(payload) &&
    payload.space === 'ip' &&
    typeof payload.unitNorm === 'boolean' &&
    typeof payload.dimension === 'number' &&
    typeof payload.projectedSha256 === 'string' &&
    typeof payload.sha256 === 'string' &&
    typeof payload.ef === 'number'
  );
}
