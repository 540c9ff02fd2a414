/** Reads a gradient store: one that was closed, one whose process was killed, or a plain Bergson index. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import {
  ClosedError,
  CorruptStoreError,
  ExampleRangeError,
  RowNotWrittenError,
  StoreNotFoundError,
} from '../errors';
import { bytesOf } from './disk';
import {
  BLOCK_BYTES,
  STORE_FILES,
  columnOffsets,
  encodeInfo,
  gradientBytes,
  parseInfo,
  rowWidth,
  rowsPerBlock,
  type Column,
  type RowDtype,
  type StoreLayout,
} from './format';
import { readManifest, type StoreManifest } from './manifest';
import { emptyNorms, measureNorms, readNorms, type RowNorms } from './norms';
import { currentDirectory } from './replace-directory';
import { allocateRows, decodeRows } from './row-codec';
import { readRowBytes, type RowFile } from './row-file';
import { readScales } from './row-scales';
import { TokenOffsets } from './token-offsets';

/**
 * `complete`: closed, checksums known. `interrupted`: its writer never closed it. `foreign`: a Bergson
 * index written by something else; all rows count as written.
 */
export type StoreState = 'complete' | 'interrupted' | 'foreign';

/** Consecutive rows: `rows` [count, width], the first of which is row `first`. */
export interface RowBlock {
  readonly first: number;
  readonly count: number;
  readonly rows: Float32Array;
}

export class GradientStoreReader {
  readonly rows: number;
  /** Numbers in a row, over all layers. */
  readonly width: number;
  /** Of the numbers on disk; see {@link valueDtype}. */
  readonly dtype: RowDtype;
  readonly columns: readonly Column[];
  readonly rowsWritten: number;
  private open = true;
  private cachedNorms: RowNorms | undefined;

  private constructor(
    /** Where the store lies; see {@link currentDirectory}. */
    readonly directory: string,
    readonly layout: StoreLayout,
    readonly state: StoreState,
    /** What the writer said on closing; undefined unless the store is complete. */
    readonly manifest: StoreManifest | undefined,
    private readonly descriptor: number,
    private readonly written: Uint8Array | undefined,
    /** What each row is multiplied by: [rows]; undefined where all are 1. */
    private readonly scales: Float32Array | undefined,
    /** Whose rows they are, where each token has a row; undefined where each example has. */
    readonly tokens: TokenOffsets | undefined,
  ) {
    this.rows = layout.rows;
    this.width = rowWidth(layout);
    this.dtype = layout.dtype;
    this.columns = layout.columns;
    this.rowsWritten = written?.reduce((sum, flag) => sum + (flag === 1 ? 1 : 0), 0) ?? layout.rows;
  }

  /**
   * Opens the store in `directory` and checks the size of every file. Throws {@link CorruptStoreError},
   * InvalidLayoutError, CorruptRecordError, UnsupportedVersionError, or StoreNotFoundError when there is no `info.json`.
   */
  static open(directory: string): GradientStoreReader {
    const current = currentDirectory(directory);
    const at = (name: string) => path.join(current, name);
    const layout = parseInfo(readInfo(current), at(STORE_FILES.info));
    const manifest = readManifest(current);
    if (manifest && encodeInfo(manifest.layout) !== encodeInfo(layout)) {
      const [expected, found] = [encodeInfo(manifest.layout), encodeInfo(layout)];
      throw new CorruptStoreError(at(STORE_FILES.info), 'layout', expected, found);
    }
    const foreign = !manifest && !fs.existsSync(at(STORE_FILES.written));
    const state = manifest ? 'complete' : foreign ? 'foreign' : 'interrupted';
    checkSize(at(STORE_FILES.gradients), gradientBytes(layout), state);
    for (const [name, { bytes }] of Object.entries(manifest?.files ?? {})) checkSize(at(name), bytes, state);
    if (!foreign) checkSize(at(STORE_FILES.written), layout.rows, state);
    const written = foreign ? undefined : fs.readFileSync(at(STORE_FILES.written)).subarray(0, layout.rows);
    const tokens = layout.examples === undefined ? undefined : readOffsets(at(STORE_FILES.offsets), layout);
    const scaled = manifest ? STORE_FILES.scales in manifest.files : fs.existsSync(at(STORE_FILES.scales));
    const scales = scaled ? readScales(at(STORE_FILES.scales), layout.rows) : undefined;
    const descriptor = fs.openSync(at(STORE_FILES.gradients), 'r');
    return new GradientStoreReader(current, layout, state, manifest, descriptor, written, scales, tokens);
  }

  /** In which its values are exact: rows of float16 with scales are not in float16. */
  get valueDtype(): RowDtype {
    return this.scales === undefined ? this.dtype : 'float32';
  }

  /** Whether row `example` holds a gradient. */
  isWritten(example: number): boolean {
    return example >= 0 && example < this.rows && (this.written === undefined || this.written[example] === 1);
  }

  /** Throws unless row `example` holds a gradient: ExampleRangeError, RowNotWrittenError. */
  checkHeld(example: number): void {
    if (!Number.isInteger(example) || example < 0 || example >= this.rows) {
      throw new ExampleRangeError(this.directory, example, this.rows);
    }
    if (!this.isWritten(example)) {
      throw new RowNotWrittenError(this.directory, example, this.rowsWritten, this.rows);
    }
  }

  /** One byte a row, 1 where it is there: [rows], not to be changed; undefined where all are. */
  get flags(): Uint8Array | undefined {
    return this.rowsWritten === this.rows ? undefined : this.written;
  }

  /** The file of rows, for as long as this reader is open. Throws ClosedError. */
  file(): RowFile {
    if (!this.open) throw new ClosedError(this.directory);
    const { directory, descriptor, rows, width, dtype, scales } = this;
    return { directory, descriptor, rows, width, dtype, scales };
  }

  /** The row of `example`: [width]. Throws ExampleRangeError, RowNotWrittenError. */
  row(example: number): Float32Array {
    return this.readRows([example]);
  }

  /** Whether all rows of `example` are there: its own, or those of its tokens. */
  holds(example: number): boolean {
    if (this.tokens === undefined) return this.isWritten(example);
    const [first, end] = this.tokens.rowsOf(example);
    return (
      first < end &&
      Array.from({ length: end - first }, (_, i) => first + i).every((row) => this.isWritten(row))
    );
  }

  /** The row of `example`, or those of its tokens, each [width]. Throws ExampleRangeError, RowNotWrittenError. */
  rowsOf(example: number): Float32Array[] {
    if (this.tokens === undefined) return [this.row(example)];
    if (!Number.isInteger(example) || example < 0 || example >= this.tokens.examples)
      throw new ExampleRangeError(this.directory, example, this.tokens.examples);
    if (!this.holds(example))
      throw new RowNotWrittenError(this.directory, example, this.rowsWritten, this.rows);
    const [first, end] = this.tokens.rowsOf(example);
    return Array.from({ length: end - first }, (_, i) => this.row(first + i));
  }

  /** The rows of `examples`, in the order asked for: [n, width]. Throws ExampleRangeError, RowNotWrittenError. */
  readRows(examples: ArrayLike<number>): Float32Array {
    const out = new Float32Array(examples.length * this.width);
    const stored = allocateRows(this.layout, 1);
    for (let i = 0; i < examples.length; i++) {
      const example = examples[i] ?? NaN;
      this.checkHeld(example);
      this.readStored(example, stored);
      const row = out.subarray(i * this.width, (i + 1) * this.width);
      const decoded = decodeRows(stored, row, this.scales?.subarray(example, example + 1));
      if (decoded !== row) row.set(decoded);
    }
    return out;
  }

  /**
   * All rows in order, in blocks of about `blockBytes` on disk; rows never written come as zeros. A block's
   * `rows` are overwritten by the next block: copy what is to stay.
   */
  *blocks(blockBytes = BLOCK_BYTES): Generator<RowBlock, void, undefined> {
    const perBlock = Math.min(rowsPerBlock(this.layout, blockBytes), this.rows);
    const stored = allocateRows(this.layout, perBlock);
    const decoded = new Float32Array(this.dtype === 'float32' ? 0 : stored.length);
    for (let first = 0; first < this.rows; first += perBlock) {
      const count = Math.min(perBlock, this.rows - first);
      const numbers = count * this.width;
      const part = stored.subarray(0, numbers);
      this.readStored(first, part);
      const scales = this.scales?.subarray(first, first + count);
      const rows = decodeRows(part, decoded.subarray(0, numbers), scales);
      for (let i = 0; i < count && this.rowsWritten < this.rows; i++) {
        // A killed process may have left half a row; nobody is to see it.
        if (!this.isWritten(first + i)) rows.fill(0, i * this.width, (i + 1) * this.width);
      }
      yield { first, count, rows };
    }
  }

  /** L2 norms of all rows: read when the store is complete, else measured once. */
  norms(): RowNorms {
    if (this.cachedNorms) return this.cachedNorms;
    if (this.manifest) {
      this.cachedNorms = readNorms(path.join(this.directory, STORE_FILES.norms));
      return this.cachedNorms;
    }
    const norms = emptyNorms(this.rows, this.columns.length);
    const offsets = columnOffsets(this.layout);
    for (const { first, count, rows } of this.blocks()) measureNorms(rows, first, count, offsets, norms);
    this.cachedNorms = norms;
    return norms;
  }

  /**
   * Reads every file again and compares checksums; resolves to the names of the files checked, none unless
   * the store is complete. Throws {@link CorruptStoreError}, which names the damaged file.
   */
  async verify(): Promise<string[]> {
    const checked: string[] = [];
    for (const [name, { sha256 }] of Object.entries(this.manifest?.files ?? {})) {
      const file = path.join(this.directory, name);
      const hash = createHash('sha256');
      const chunks: AsyncIterable<Uint8Array> = fs.createReadStream(file, { highWaterMark: BLOCK_BYTES });
      for await (const chunk of chunks) hash.update(chunk);
      const found = hash.digest('hex');
      if (found !== sha256) throw new CorruptStoreError(file, 'sha256', sha256, found);
      checked.push(name);
    }
    return checked;
  }

  close(): void {
    if (this.open) fs.closeSync(this.descriptor);
    this.open = false;
  }

  private readStored(first: number, stored: Float32Array | Uint16Array): void {
    readRowBytes(this.file(), first, bytesOf(stored));
  }
}

/** @throws StoreNotFoundError */
function readInfo(directory: string): string {
  try {
    return fs.readFileSync(path.join(directory, STORE_FILES.info), 'utf8');
  } catch (cause) {
    if (!['ENOENT', 'ENOTDIR'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
    throw new StoreNotFoundError(directory, { cause });
  }
}

/** @throws CorruptStoreError if they are not those of the store's rows */
function readOffsets(file: string, { rows, examples }: StoreLayout): TokenOffsets {
  const offsets = TokenOffsets.read(file);
  if (offsets.rows === rows && offsets.examples === examples) return offsets;
  const describe = (of: { rows: number; examples?: number }) => `${of.examples} examples of ${of.rows} rows`;
  throw new CorruptStoreError(file, 'layout', describe({ rows, examples }), describe(offsets));
}

/** A writer killed while it made room, or gave it back, leaves files that are longer than `info.json` says. */
function checkSize(file: string, bytes: number, state: StoreState): void {
  const found = fs.existsSync(file) ? fs.statSync(file).size : 0;
  if (found < bytes || (found > bytes && state !== 'interrupted'))
    throw new CorruptStoreError(file, 'bytes', bytes, found);
}
