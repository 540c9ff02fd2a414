/** `written.bin` of a store that is being written: a byte for each row, 1 once the row is whole. */
import fs from 'node:fs';
import type { FileWrite } from '../../kernels/write-rows';
import { forEachRun, guardWrite, presize, writeFully } from './disk';

/** Flags closer together than this many bytes are written in one call, those between them again. */
const FLAG_GAP = 4096;

export class WrittenFlags {
  /** How many rows are written. */
  count: number;

  private constructor(
    private readonly file: string,
    private readonly descriptor: number,
    private flags: Uint8Array,
  ) {
    this.count = flags.reduce((sum, flag) => sum + flag, 0);
  }

  /** Those of `rows` rows of which none is written. Throws DiskWriteError. */
  static create(file: string, rows: number): WrittenFlags {
    return new WrittenFlags(file, presize(file, rows), new Uint8Array(rows));
  }

  /** Goes on with `flags`, which are what `file` holds. Throws DiskWriteError. */
  static open(file: string, flags: Uint8Array): WrittenFlags {
    const descriptor = guardWrite(file, 0, () => fs.openSync(file, 'r+'));
    return new WrittenFlags(file, descriptor, Uint8Array.from(flags));
  }

  isWritten(row: number): boolean {
    return this.flags[row] === 1;
  }

  /** The last row that is written, or -1. */
  get last(): number {
    return this.flags.lastIndexOf(1);
  }

  /** Sets the flags of `ids` (ascending), in memory and on disk. Throws DiskWriteError. */
  mark(ids: Int32Array, flag: 0 | 1): void {
    for (const { descriptor, file, bytes, position } of this.writes(ids, flag))
      writeFully(descriptor, file, bytes, position);
  }

  /** Sets the flags of `ids` (ascending) in memory, and returns what does so on disk. */
  writes(ids: Int32Array, flag: 0 | 1): FileWrite[] {
    const { descriptor, file } = this;
    this.set(ids, flag);
    const together = (i: number) => (ids[i] ?? 0) - (ids[i - 1] ?? 0) <= FLAG_GAP;
    const writes: FileWrite[] = [];
    forEachRun(ids.length, together, (begin, end) => {
      const position = ids[begin] ?? 0;
      const bytes = this.flags.subarray(position, (ids[end - 1] ?? 0) + 1);
      writes.push({ descriptor, file, position, bytes });
    });
    return writes;
  }

  /** Sets the flags of `ids` in memory alone. */
  set(ids: Int32Array, flag: 0 | 1): void {
    for (const id of ids) {
      this.count += flag - (this.flags[id] ?? 0);
      this.flags[id] = flag;
    }
  }

  /** Makes room for `rows` rows, new ones being unwritten, or gives back the room of those at the end. Throws DiskWriteError. */
  resize(rows: number): void {
    guardWrite(this.file, rows, () => {
      fs.ftruncateSync(this.descriptor, rows);
    });
    const flags = new Uint8Array(rows);
    flags.set(this.flags.subarray(0, rows));
    this.flags = flags;
  }

  /** Throws DiskWriteError. */
  sync(): void {
    guardWrite(this.file, this.flags.length, () => {
      fs.fsyncSync(this.descriptor);
    });
  }

  close(): void {
    fs.closeSync(this.descriptor);
  }
}
