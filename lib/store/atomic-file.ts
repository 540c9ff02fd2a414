/** A file that is written piece by piece, and is there only when it is whole. */
import fs from 'node:fs';
import path from 'node:path';
import { guardWrite, syncDirectory, writeFully } from './disk';

export class AtomicFile {
  private position = 0;
  private open = true;

  private constructor(
    readonly path: string,
    private readonly descriptor: number,
  ) {}

  /** Begins `file`, as `file.tmp`. @throws DiskWriteError */
  static create(file: string): AtomicFile {
    return new AtomicFile(
      file,
      guardWrite(file, 0, () => fs.openSync(temporary(file), 'w')),
    );
  }

  /** Appends `bytes`. @throws DiskWriteError */
  write(bytes: Uint8Array): void {
    writeFully(this.descriptor, this.path, bytes, this.position);
    this.position += bytes.byteLength;
  }

  /** Puts the file in its place. @throws DiskWriteError */
  finish(): void {
    guardWrite(this.path, 0, () => {
      fs.fsyncSync(this.descriptor);
      this.close();
      fs.renameSync(temporary(this.path), this.path);
      syncDirectory(path.dirname(path.resolve(this.path)));
    });
  }

  /** Removes what was written, unless it is finished. */
  abort(): void {
    if (!this.open) return;
    this.close();
    fs.rmSync(temporary(this.path), { force: true });
  }

  private close(): void {
    if (this.open) fs.closeSync(this.descriptor);
    this.open = false;
  }
}

function temporary(file: string): string {
  return `${file}.tmp`;
}
