/** Writes a gradient store row by row, in any order, so that a kill at any byte leaves a readable store. */
import path from 'node:path';
import type { RowColumns } from '../../kernels/row-terms';
import { beginRowWrite, writesRows, type FileWrite } from '../../kernels/write-rows';
import { ClosedError, ExampleRangeError, RowShapeError } from '../errors';
import { BegunRows } from './begun-rows';
import { bytesOf, forEachRun, writeFully } from './disk';
import { STORE_FILES, rowBytes, rowWidth, type StoreLayout } from './format';
import { decodeRows, encodeRows, type EncodedRows } from './row-codec';
import { sealStore, type SealOptions } from './seal';
import { StoreFiles, type StoreFilesOptions } from './store-files';

/** Sees the rows of a store as they are written. */
export interface RowObserver {
  /** Rows [n, width] as they are stored, each of an example that had none. */
  add(rows: Float32Array): void;
  /** A row that was there is replaced. */
  replace(): void;
  /** The store in `directory` is complete. */
  keep(directory: string): void;
}

export class GradientStoreWriter {
  /** How many times a row replaced one written before, in the same call or an earlier one. */
  rewritten = 0;

  private readonly file: string;
  private open = true;
  private observer: RowObserver | undefined;
  /** Of the rows of this writer, which float16 rounds. */
  private energy = { total: 0, lost: 0 };

  private constructor(private readonly files: StoreFiles) {
    this.file = path.join(files.directory, STORE_FILES.gradients);
  }

  /** Starts a store of `layout` in `directory`: {@link StoreFiles.create}. */
  static create(
    directory: string,
    layout: StoreLayout,
    options: StoreFilesOptions = {},
  ): GradientStoreWriter {
    return new GradientStoreWriter(StoreFiles.create(directory, layout, options));
  }

  /** Goes on with the store that a killed writer of `layout` left in `directory`: {@link StoreFiles.resume}. */
  static resume(
    directory: string,
    layout: StoreLayout,
    options: Pick<StoreFilesOptions, 'offsets'> = {},
  ): GradientStoreWriter {
    return new GradientStoreWriter(StoreFiles.resume(directory, layout, options));
  }

  get directory(): string {
    return this.files.directory;
  }

  get layout(): StoreLayout {
    return this.files.layout;
  }

  /** How many rows hold a gradient. */
  get rowsWritten(): number {
    return this.files.written.count;
  }

  /** From now on `observer` sees what is written. */
  observe(observer: RowObserver | undefined): void {
    this.observer = observer;
  }

  /** Whether row `example` is written. */
  isWritten(example: number): boolean {
    return this.files.written.isWritten(example);
  }

  /**
   * Writes `rows` [n, width], row-major, as the rows of `examples` [n]. Of several rows for one example the
   * last stays. Synchronous: when it returns, a kill no longer loses these rows (a power cut may, until
   * `close`). Throws RowShapeError, ExampleRangeError, NonFiniteValueError before anything is
   * written, and {@link DiskWriteError} when the disk is full: this call's rows then count as
   * not written, all others stay.
   */
  write(examples: Int32Array, rows: Float32Array): void {
    if (!this.open) throw new ClosedError(this.directory);
    const width = rowWidth(this.layout);
    if (rows.length !== examples.length * width) {
      throw new RowShapeError(`${examples.length} rows`, examples.length * width, rows.length);
    }
    const order = this.orderById(examples);
    const encoded = encodeRows(this.layout, examples, rows);
    const { ids, replaced } = this.clear(examples, order);
    this.writeRows(ids, order, encoded);
    this.files.written.mark(ids, 1);
    this.addEnergy(encoded);
    this.rewritten += replaced + examples.length - ids.length;
    if (replaced > 0) this.observer?.replace();
    this.observer?.add(this.storedRows(encoded, order));
  }

  /** Whether `beginWrite` serves: not without the addon, nor where rows are rounded, or observed. */
  get beginsWrites(): boolean {
    return this.layout.dtype === 'float32' && this.observer === undefined && writesRows();
  }

  /**
   * Begins to write the `columns` of the rows of `examples` [n], multiplied by `factor`, and then `after`. Gradients among them may
   * be the background's own that are not there yet; all may be disposed at once. Throws ExampleRangeError,
   * {@link DiskWriteError}. Nothing else may be asked of this writer until the write is settled.
   */
  beginWrite(
    examples: Int32Array,
    columns: RowColumns,
    factor: number,
    after: readonly FileWrite[],
  ): BegunRows {
    if (!this.open) throw new ClosedError(this.directory);
    const { layout } = this;
    const order = this.orderById(examples);
    const { ids, replaced } = this.clear(examples, order);
    const bytes = rowBytes(layout);
    const positions = new Float64Array(examples.length).fill(-1);
    for (const position of order) positions[position] = (examples[position] ?? 0) * bytes;
    const placed = [];
    let offset = 0;
    for (const { layer, width } of layout.columns) {
      const column = columns.get(layer);
      if (column !== undefined) placed.push({ terms: column.terms, offset });
      offset += width;
    }
    const rows = {
      file: this.file,
      descriptor: this.files.gradients,
      positions,
      columns: placed,
      width: offset,
      factor,
      after: [...this.files.written.writes(ids, 1), ...after],
    };
    const reaction = {
      written: () => {
        this.rewritten += replaced + examples.length - ids.length;
      },
      failed: () => {
        this.files.written.set(ids, 0);
      },
    };
    try {
      return new BegunRows(beginRowWrite(rows), layout, examples, reaction);
    } catch (error) {
      reaction.failed();
      throw error;
    }
  }

  /** The rows at `positions` of `encoded`, in any order, as they will be read: [n, width]. */
  private storedRows({ stored, scales }: EncodedRows, positions: Int32Array): Float32Array {
    const width = rowWidth(this.layout);
    const rows = decodeRows(
      stored,
      new Float32Array(scales === null ? 0 : stored.length),
      scales ?? undefined,
    );
    if (positions.length * width === rows.length) return rows;
    const kept = new Float32Array(positions.length * width);
    positions.forEach((position, i) => {
      kept.set(rows.subarray(position * width, (position + 1) * width), i * width);
    });
    return kept;
  }

  /** Makes room for `rows` rows, or gives back that of unwritten ones at the end: {@link StoreFiles.resize}. */
  resize(rows: number): void {
    if (!this.open) throw new ClosedError(this.directory);
    this.files.resize(rows);
  }

  /**
   * Syncs the rows and seals the store (see {@link sealStore}): only then does it claim to be complete.
   * Throws DiskWriteError; the store then stays as a kill would have left it.
   */
  async close(options: Omit<SealOptions, 'rewritten' | 'energyLost'> = {}): Promise<void> {
    if (!this.open) throw new ClosedError(this.directory);
    this.files.sync();
    this.abort();
    await sealStore(this.directory, { ...options, rewritten: this.rewritten, energyLost: this.energyLost });
    this.observer?.keep(this.directory);
  }

  /** Stops writing and leaves the store as a kill would: readable, and known to be unfinished. */
  abort(): void {
    if (!this.open) return;
    this.open = false;
    this.files.close();
  }

  private get energyLost(): number | null {
    const { total, lost } = this.energy;
    return this.layout.dtype === 'float32' ? null : total === 0 ? 0 : lost / total;
  }

  private addEnergy({ energy: { total, lost } }: EncodedRows): void {
    this.energy = { total: this.energy.total + total, lost: this.energy.lost + lost };
  }

  /** Positions in `examples` by ascending id, of equal ids only the last. */
  private orderById(examples: Int32Array): Int32Array {
    const { rows } = this.layout;
    const positions = new Int32Array(examples.length);
    let ascending = true;
    for (let i = 0, last = -1; i < examples.length; i++) {
      const example = examples[i] ?? -1;
      if (example < 0 || example >= rows) throw new ExampleRangeError(this.directory, example, rows);
      ascending &&= example > last;
      last = example;
      positions[i] = i;
    }
    if (ascending) return positions;
    const id = (position: number | undefined) => (position === undefined ? -1 : (examples[position] ?? 0));
    const order = positions.sort((a, b) => id(a) - id(b) || a - b);
    return order.filter((position, i) => id(position) !== id(order[i + 1]));
  }

  /** The ids at `order`, and how many of their rows are replaced: those count as unwritten until their replacements are whole. */
  private clear(examples: Int32Array, order: Int32Array): { ids: Int32Array; replaced: number } {
    const ids = new Int32Array(order.length);
    let replaced = 0;
    for (let i = 0; i < ids.length; i++) {
      const id = examples[order[i] ?? 0] ?? 0;
      ids[i] = id;
      replaced += Number(this.files.written.isWritten(id));
    }
    if (replaced > 0)
      this.files.written.mark(
        ids.filter((id) => this.files.written.isWritten(id)),
        0,
      );
    return { ids, replaced };
  }

  /** Writes the rows of `ids` (ascending), which lie at `positions` of `encoded`; neighbors in one call. */
  private writeRows(ids: Int32Array, positions: Int32Array, { stored, scales }: EncodedRows): void {
    const width = rowWidth(this.layout);
    const together = (i: number) =>
      ids[i] === (ids[i - 1] ?? 0) + 1 && positions[i] === (positions[i - 1] ?? 0) + 1;
    forEachRun(ids.length, together, (begin, end) => {
      const first = (positions[begin] ?? 0) * width;
      const bytes = bytesOf(stored.subarray(first, first + (end - begin) * width));
      writeFully(this.files.gradients, this.file, bytes, (ids[begin] ?? 0) * rowBytes(this.layout));
    });
    if (scales !== null)
      this.files.scales.write(
        ids,
        Float32Array.from(positions, (position) => scales[position] ?? 1),
      );
  }
}
