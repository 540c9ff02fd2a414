/**
 * What rows of float16 numbers are multiplied by: powers of two, so that it is exact. The file is there only once some row
 * has another scale than 1. Bytes: docs/format.md.
 */
import fs from 'node:fs';
import { CorruptStoreError } from '../errors';
import { bytesOf, forEachRun, guardWrite, writeFileAtomic, writeFully } from './disk';

/** The scales [rows] in `file`, in memory that threads share. Throws {@link CorruptStoreError}. */
export function readScales(file: string, rows: number): Float32Array {
  const scales = new Float32Array(new SharedArrayBuffer(4 * rows));
  const bytes = fs.readFileSync(file);
  if (bytes.length < 4 * rows) throw new CorruptStoreError(file, 'bytes', 4 * rows, bytes.length);
  new Uint8Array(scales.buffer).set(bytes.subarray(0, 4 * rows));
  const bad = scales.findIndex(
    (scale) => !(scale > 0 && scale < Infinity && Number.isInteger(Math.log2(scale))),
  );
  if (bad < 0) return scales;
  throw new CorruptStoreError(file, 'scales', 'powers of two', `${scales[bad]} for row ${bad}`);
}

/** The scales of a store that is being written. */
export class ScaleFile {
  private constructor(
    private readonly file: string,
    private rows: number,
    /** Undefined as long as all scales are 1. */
    private descriptor: number | undefined,
  ) {}

  /** Those in `file`, if it is there, which has room for `rows`. Throws CorruptStoreError, DiskWriteError. */
  static open(file: string, rows: number): ScaleFile {
    if (!fs.existsSync(file)) return new ScaleFile(file, rows, undefined);
    const { size } = fs.statSync(file);
    if (size < 4 * rows) throw new CorruptStoreError(file, 'bytes', 4 * rows, size);
    return new ScaleFile(
      file,
      rows,
      guardWrite(file, 0, () => fs.openSync(file, 'r+')),
    );
  }

  /** Sets the scale of each row of `ids`. Throws DiskWriteError. */
  write(ids: Int32Array, scales: Float32Array): void {
    if (this.descriptor === undefined) {
      if (scales.every((scale) => scale === 1)) return;
      writeFileAtomic(this.file, [ones(this.rows)]);
      this.descriptor = guardWrite(this.file, 0, () => fs.openSync(this.file, 'r+'));
    }
    const { descriptor, file } = this;
    const bytes = bytesOf(scales);
    const together = (i: number) => ids[i] === (ids[i - 1] ?? 0) + 1;
    forEachRun(ids.length, together, (begin, end) => {
      writeFully(descriptor, file, bytes.subarray(4 * begin, 4 * end), 4 * (ids[begin] ?? 0));
    });
  }

  /** Makes room for `rows` rows, new ones having scale 1, or gives it back. Throws DiskWriteError. */
  resize(rows: number): void {
    const { descriptor, file } = this;
    if (descriptor !== undefined && rows > this.rows)
      writeFully(descriptor, file, ones(rows - this.rows), 4 * this.rows);
    if (descriptor !== undefined && rows < this.rows)
      guardWrite(file, 4 * rows, () => {
        fs.ftruncateSync(descriptor, 4 * rows);
      });
    this.rows = rows;
  }

  /** Throws DiskWriteError. */
  sync(): void {
    const { descriptor } = this;
    if (descriptor !== undefined)
      guardWrite(this.file, 4 * this.rows, () => {
        fs.fsyncSync(descriptor);
      });
  }

  close(): void {
    if (this.descriptor !== undefined) fs.closeSync(this.descriptor);
    this.descriptor = undefined;
  }
}

function ones(rows: number): Uint8Array {
  return new Uint8Array(new Float32Array(rows).fill(1).buffer);
}
