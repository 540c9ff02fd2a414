/** The open files of a gradient store that is being written: a kill at any byte leaves a readable store. */
import fs from 'node:fs';
import path from 'node:path';
import { CorruptStoreError, DiskWriteError, ExampleRangeError, StoreExistsError } from '../errors';
import { guardWrite, presize, writeFileAtomic } from './disk';
import { STORE_FILES, checkLayout, encodeInfo, gradientBytes, parseInfo, type StoreLayout } from './format';
import { ScaleFile } from './row-scales';
import type { TokenOffsets } from './token-offsets';
import { WrittenFlags } from './written-flags';

export interface StoreFilesOptions {
  /** Whether a store that is there goes. Default: false. */
  readonly overwrite?: boolean | undefined;
  /** Of a store with a row for each token; they fit the layout. */
  readonly offsets?: TokenOffsets | undefined;
}

export class StoreFiles {
  private constructor(
    readonly directory: string,
    private currentLayout: StoreLayout,
    /** Descriptor of the rows. */
    readonly gradients: number,
    readonly written: WrittenFlags,
    readonly scales: ScaleFile,
  ) {}

  get layout(): StoreLayout {
    return this.currentLayout;
  }

  /**
   * Starts a store of `layout` in `directory`, which is made if need be. `gradients.bin` gets its full size at once but takes
   * up disk only as rows come. @throws StoreExistsError unless `overwrite`, DiskWriteError when the disk is too small,
   *   InvalidLayoutError
   */
  static create(directory: string, layout: StoreLayout, options: StoreFilesOptions = {}): StoreFiles {
    const { overwrite = false, offsets } = options;
    checkLayout(layout, 'the layout');
    const at = (name: string) => path.join(directory, name);
    const total = gradientBytes(layout);
    if (!overwrite && fs.existsSync(at(STORE_FILES.info))) throw new StoreExistsError(directory);
    guardWrite(directory, total, () => {
      fs.mkdirSync(directory, { recursive: true });
      // The manifest goes first: without it, whatever is left no longer claims to be complete.
      for (const name of [...Object.values(STORE_FILES).reverse(), 'index', 'preconditioner']) {
        fs.rmSync(at(name), { recursive: true, force: true });
      }
    });
    checkSpace(directory, total);
    if (offsets !== undefined) writeFileAtomic(at(STORE_FILES.offsets), [offsets.encode()]);
    writeFileAtomic(at(STORE_FILES.info), [Buffer.from(encodeInfo(layout))]);
    const gradients = presize(at(STORE_FILES.gradients), total);
    return StoreFiles.withFiles(directory, layout, gradients, () =>
      WrittenFlags.create(at(STORE_FILES.written), layout.rows),
    );
  }

  /**
   * Goes on with the store that a killed writer of `layout` left in `directory`: rows that are written stay. It may
   * have more rows than `layout` says, if its writer made room. @throws CorruptStoreError, InvalidLayoutError,
   *   DiskWriteError, or the file system's own error when there is no store
   */
  static resume(
    directory: string,
    layout: StoreLayout,
    { offsets }: Pick<StoreFilesOptions, 'offsets'> = {},
  ): StoreFiles {
    const at = (name: string) => path.join(directory, name);
    const found = parseInfo(fs.readFileSync(at(STORE_FILES.info), 'utf8'), at(STORE_FILES.info));
    const sameRows = encodeInfo({ ...layout, rows: found.rows });
    if (encodeInfo(found) !== sameRows)
      throw new CorruptStoreError(at(STORE_FILES.info), 'layout', sameRows, encodeInfo(found));
    const sizes = [STORE_FILES.written, STORE_FILES.gradients].map(
      (name) => fs.statSync(at(name), { throwIfNoEntry: false })?.size ?? 0,
    );
    const flags = sizes[0] === 0 ? new Uint8Array() : fs.readFileSync(at(STORE_FILES.written));
    const bytes = gradientBytes(found);
    if ((sizes[0] ?? 0) < found.rows || (sizes[1] ?? 0) < bytes) {
      // Files are full size before the first row is written: a kill came before that.
      if (!flags.includes(1)) return StoreFiles.create(directory, layout, { overwrite: true, offsets });
      throw new CorruptStoreError(at(STORE_FILES.gradients), 'bytes', bytes, sizes[1] ?? 0);
    }
    const gradients = guardWrite(directory, 0, () => fs.openSync(at(STORE_FILES.gradients), 'r+'));
    return StoreFiles.withFiles(directory, found, gradients, () =>
      WrittenFlags.open(at(STORE_FILES.written), flags.subarray(0, found.rows)),
    );
  }

  /** Opens the files beside `gradients`; if one does not open, none stays open. */
  private static withFiles(
    directory: string,
    layout: StoreLayout,
    gradients: number,
    openFlags: () => WrittenFlags,
  ): StoreFiles {
    let written: WrittenFlags | undefined;
    try {
      written = openFlags();
      const scales = ScaleFile.open(path.join(directory, STORE_FILES.scales), layout.rows);
      return new StoreFiles(directory, layout, gradients, written, scales);
    } catch (error) {
      written?.close();
      fs.closeSync(gradients);
      throw error;
    }
  }

  /**
   * Makes room for `rows` rows, new ones being unwritten, or gives back the room of unwritten ones at the end.
   * @throws ExampleRangeError rather than lose a row that is written; DiskWriteError
   */
  resize(rows: number): void {
    const { last } = this.written;
    if (last >= rows) throw new ExampleRangeError(this.directory, last, rows);
    const grows = rows > this.layout.rows;
    const layout = { ...this.layout, rows };
    const bytes = gradientBytes(layout);
    if (grows) checkSpace(this.directory, bytes - gradientBytes(this.layout));
    const describe = () => {
      writeFileAtomic(path.join(this.directory, STORE_FILES.info), [Buffer.from(encodeInfo(layout))]);
    };
    // A kill in between leaves files longer than `info.json` says, which readers allow; never shorter.
    if (!grows) describe();
    guardWrite(this.directory, bytes, () => {
      fs.ftruncateSync(this.gradients, bytes);
    });
    this.written.resize(rows);
    this.scales.resize(rows);
    if (grows) describe();
    this.currentLayout = layout;
  }

  /** @throws DiskWriteError */
  sync(): void {
    guardWrite(this.directory, gradientBytes(this.layout), () => {
      fs.fsyncSync(this.gradients);
    });
    this.written.sync();
    this.scales.sync();
  }

  close(): void {
    fs.closeSync(this.gradients);
    this.written.close();
    this.scales.close();
  }
}

/** Fails now rather than hours into training when the file system has fewer than `bytes` free. */
function checkSpace(directory: string, bytes: number): void {
  const { bavail, blocks, bsize } = fs.statfsSync(directory);
  if (blocks > 0 && bavail * bsize < bytes) throw new DiskWriteError(directory, bytes, 'ENOSPC');
}
