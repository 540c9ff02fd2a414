/** One checksummed msgpack record per file: manifests and index metadata. Bytes: docs/format.md. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { Packr } from 'msgpackr';
import { CorruptRecordError, UnsupportedVersionError } from '../errors';
import { writeFileAtomic } from './disk';

/** Plain msgpack that any language reads: no msgpackr records; typed arrays keep their type. */
export const packer = new Packr({ moreTypes: true, useRecords: false });

/** What a record says of itself. `version` is the newest this release writes and the newest it reads. */
export interface RecordKind {
  readonly kind: string;
  readonly version: number;
}

/** A record's payload as read, and the version that wrote it (never above the version asked for). */
export interface ReadRecord {
  readonly version: number;
  readonly payload: unknown;
}

/** Whether `value` is an object with string keys, as msgpack maps decode to. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The hexadecimal sha256 of `bytes`. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The hexadecimal sha256 of the content of `file`, of any size. */
export function sha256File(file: string): string {
  const hash = createHash('sha256');
  const chunk = new Uint8Array(1024 * 1024);
  const descriptor = fs.openSync(file, 'r');
  try {
    for (;;) {
      const count = fs.readSync(descriptor, chunk);
      if (count === 0) return hash.digest('hex');
      hash.update(chunk.subarray(0, count));
    }
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Writes `payload` as a record of `kind`, atomically. Throws DiskWriteError. */
export function writeRecord(file: string, { kind, version }: RecordKind, payload: unknown): void {
  const bytes = Buffer.from(packer.pack(payload)); // a Buffer, or moreTypes would mark it as a typed array
  writeFileAtomic(file, [packer.pack({ kind, version, sha256: sha256(bytes), payload: bytes })]);
}

/**
 * The record in `file`. Throws {@link CorruptRecordError} when it is not one, is of another kind, or its
 * checksum differs, {@link UnsupportedVersionError} when a newer release wrote it, and the file system's
 * own error when it cannot be read.
 */
export function readRecord(file: string, { kind, version }: RecordKind): ReadRecord {
  const bytes = fs.readFileSync(file);
  const envelope = unpack(file, bytes, 'a msgpack record');
  if (!isMap(envelope)) throw new CorruptRecordError(file, 'record', 'a map', typeof envelope);
  if (envelope.kind !== kind) throw new CorruptRecordError(file, 'kind', kind, show(envelope.kind));
  const found = envelope.version;
  if (typeof found !== 'number' || !Number.isInteger(found) || found < 1) {
    throw new CorruptRecordError(file, 'version', 'a whole number from 1', show(found));
  }
  if (found > version) throw new UnsupportedVersionError(file, version, found);
  const packed = envelope.payload;
  if (!(packed instanceof Uint8Array)) {
    throw new CorruptRecordError(file, 'payload', 'bytes', typeof packed);
  }
  const checksum = sha256(packed);
  if (envelope.sha256 !== checksum) {
    throw new CorruptRecordError(file, 'sha256', show(envelope.sha256), checksum);
  }
  return { version: found, payload: unpack(file, packed, 'a msgpack payload') };
}

function unpack(file: string, bytes: Uint8Array, expected: string): unknown {
  try {
    return packer.unpack(bytes);
  } catch (cause) {
    throw new CorruptRecordError(file, 'content', expected, `${bytes.length} bytes that are not`, { cause });
  }
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
