/** Writing to disk so that a failure is named and a file under its final name is whole. */
import fs from 'node:fs';
import path from 'node:path';
import { BergsonError, DiskWriteError } from '../errors';

/** Bytes read or written by one call: Node refuses 2 GiB. */
const LARGEST_PIECE = 2 ** 30;

/** Runs `action`; a failure becomes a {@link DiskWriteError} that names `file` and the bytes wanted. */
export function guardWrite<Result>(file: string, bytes: number, action: () => Result): Result {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof BergsonError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new DiskWriteError(file, bytes, code, { cause });
  }
}

/** The bytes under `array`, not copied. */
export function bytesOf(array: NodeJS.ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

/** Writes all of `bytes` at `position`, or at the file's end when it is null (files opened to append). */
export function writeFully(
  descriptor: number,
  file: string,
  bytes: Uint8Array,
  position: number | null,
): void {
  guardWrite(file, bytes.byteLength, () => {
    let done = 0;
    while (done < bytes.byteLength) {
      const at = position === null ? null : position + done;
      done += fs.writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, LARGEST_PIECE), at);
    }
  });
}

/** Reads up to `bytes.byteLength` bytes from `position`; returns how many there were. */
export function readFully(descriptor: number, bytes: Uint8Array, position: number): number {
  let done = 0;
  while (done < bytes.byteLength) {
    const piece = Math.min(bytes.byteLength - done, LARGEST_PIECE);
    const count = fs.readSync(descriptor, bytes, done, piece, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Calls `visit(begin, end)` for each stretch of `count` things of which each belongs `together` with the one before. */
export function forEachRun(
  count: number,
  together: (i: number) => boolean,
  visit: (begin: number, end: number) => void,
): void {
  let begin = 0;
  for (let end = 1; end <= count; end++) {
    if (end < count && together(end)) continue;
    visit(begin, end);
    begin = end;
  }
}

/** Opens a new `file` of `bytes` zeros that takes up no disk yet. */
export function presize(file: string, bytes: number): number {
  return guardWrite(file, bytes, () => {
    const descriptor = fs.openSync(file, 'w');
    try {
      fs.ftruncateSync(descriptor, bytes);
    } catch (error) {
      fs.closeSync(descriptor);
      throw error;
    }
    return descriptor;
  });
}

/** Makes renames and new names in `directory` survive a power cut, where the platform can. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return; // directories cannot be opened there
  const descriptor = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/**
 * Writes `chunks` one after another as `file`: to a temporary name first, synced, then renamed, so that
 * `file` is at any moment the old one or the new one. Throws {@link DiskWriteError}.
 */
export function writeFileAtomic(file: string, chunks: readonly Uint8Array[]): void {
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0);
  writeChunksAtomic(file, bytes, chunks);
}

/** The same of chunks that are made one by one, `bytes` in all. What making them throws leaves nothing written. */
export function writeChunksAtomic(file: string, bytes: number, chunks: Iterable<Uint8Array>): void {
  const temporary = `${file}.tmp`;
  guardWrite(file, bytes, () => {
    const descriptor = fs.openSync(temporary, 'w');
    try {
      for (const chunk of chunks) writeFully(descriptor, file, chunk, null);
      fs.fsyncSync(descriptor);
    } catch (cause) {
      fs.rmSync(temporary, { force: true });
      throw cause;
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(temporary, file);
    syncDirectory(path.dirname(file));
  });
}
