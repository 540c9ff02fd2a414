/** Writes the run of a pass over a frozen model, begun now or by a process that was killed. */
import fs from 'node:fs';
import { NonFiniteValueError, RepeatedExampleError } from '../errors';
import { CollectedAutocorrelation } from '../preconditioners/collected-autocorrelation';
import { guardWrite } from '../store/disk';
import type { Column } from '../store/format';
import { readManifest } from '../store/manifest';
import type { TokenOffsets } from '../store/token-offsets';
import type { GradientStoreWriter } from '../store/writer';
import { openStore, readBegun } from './begun-run';
import { writeRunManifest, type FailedExample, type RunManifest } from './run-manifest';
import { runPaths, STATIC } from './run-paths';

export class FrozenRunWriter {
  /** Examples of this pass that have no row, or not all of theirs. */
  readonly failed: FailedExample[] = [];
  /** One byte for each row met in this pass. */
  private seen = new Uint8Array();
  /** The highest row met and one. */
  private met = 0;
  private collected: CollectedAutocorrelation | undefined;

  private constructor(
    readonly path: string,
    private manifest: RunManifest,
    /** Null once the store is sealed. */
    private store: GradientStoreWriter | null,
    private readonly tokens: TokenOffsets | undefined,
  ) {}

  /**
   * Begins the run `manifest` in `path`, or goes on with what there is of it.
   * @throws RunExistsError if something else is there, RunMismatchError if that run was begun otherwise;
   *   CorruptStoreError, DiskWriteError
   */
  static open(
    path: string,
    manifest: RunManifest,
    columns: readonly Column[],
    tokens?: TokenOffsets,
  ): FrozenRunWriter {
    const begun = readBegun(path, manifest);
    if (begun === null) {
      guardWrite(path, 0, () => fs.mkdirSync(path, { recursive: true }));
      writeRunManifest(path, manifest);
    }
    const { dtype } = manifest;
    const layout =
      tokens === undefined
        ? { rows: manifest.examples ?? 0, dtype, columns }
        : { rows: tokens.rows, examples: tokens.examples, dtype, columns };
    const store = openStore(runPaths.store(path, STATIC), layout, tokens);
    return new FrozenRunWriter(path, begun ?? manifest, store, tokens);
  }

  /** Sums the autocorrelation of rows as they are written, and of those that are there. @throws AutocorrelationWidthError */
  async collectAutocorrelation(): Promise<void> {
    const { store } = this;
    if (store === null) return;
    this.collected = new CollectedAutocorrelation(store.layout.columns);
    await this.collected.addWritten(store.directory);
    store.observe(this.collected);
  }

  /** Whether nothing at all is left to do. */
  get complete(): boolean {
    return this.manifest.state === 'complete';
  }

  /** Whether all rows are there for good. */
  get sealed(): boolean {
    return this.store === null;
  }

  get rowsWritten(): number {
    const sealed = readManifest(runPaths.store(this.path, STATIC));
    return this.store?.rowsWritten ?? sealed?.rowsWritten ?? 0;
  }

  /** Takes note of a batch's rows; tells whether any of them is not there yet. @throws RepeatedExampleError */
  meet(rows: Int32Array): boolean {
    this.met = rows.reduce((most, row) => Math.max(most, row + 1), this.met);
    if (this.met > this.seen.length) {
      const longer = new Uint8Array(powerOfTwo(this.met));
      longer.set(this.seen);
      this.seen = longer;
    }
    for (const row of rows) {
      if (this.seen[row] === 1) throw new RepeatedExampleError(this.tokens?.tokenOf(row).example ?? row);
      this.seen[row] = 1;
    }
    const { store } = this;
    return store !== null && rows.some((row) => !store.isWritten(row));
  }

  /**
   * Writes those of the rows `ids` [n] of the store, in `rows` [n, width], that are not there yet; returns how many. A row that cannot be
   * stored is left out and its example counts as failed. Of a first batch without a single good row the error is
   * thrown, since then it is hardly the example. @throws NonFiniteValueError, ExampleRangeError, DiskWriteError
   */
  write(ids: Int32Array, rows: Float32Array): number {
    const { store } = this;
    if (store === null) throw new Error('internal: rows for a sealed store');
    if (this.grows && this.met > store.layout.rows) store.resize(powerOfTwo(this.met));
    let missing = [...ids.keys()].filter((i) => !store.isWritten(ids[i] ?? -1));
    while (missing.length > 0) {
      try {
        store.write(...select(ids, rows, missing));
        break;
      } catch (error) {
        const { row, reason } = failedRow(error);
        missing = missing.filter((i) => ids[i] !== row);
        if (missing.length === 0 && store.rowsWritten === 0) throw error;
        this.failed.push(this.describeFailure(row, reason));
      }
    }
    return missing.length;
  }

  /** Completes the store. Harmless if it is. @throws DiskWriteError */
  async seal(): Promise<void> {
    const { store, grows } = this;
    if (store === null) return;
    this.manifest = {
      ...this.manifest,
      examples: this.manifest.examples ?? this.met,
      failed: this.failed,
    };
    writeRunManifest(this.path, this.manifest);
    if (grows) store.resize(this.met);
    await store.close();
    this.collected?.dispose();
    this.store = null;
  }

  /** Calls the run complete. Everything else must be in place. @throws DiskWriteError */
  finish(): void {
    this.manifest = { ...this.manifest, state: 'complete' };
    writeRunManifest(this.path, this.manifest);
  }

  /** Whether there is a row for any id, however large. */
  private get grows(): boolean {
    return this.manifest.examples === null;
  }

  private describeFailure(row: number, reason: string): FailedExample {
    if (this.tokens === undefined) return { example: row, reason };
    const { example, position } = this.tokens.tokenOf(row);
    return { example, reason: `its token ${position}, row ${row}: ${reason}` };
  }

  /** Stops and leaves the run as a kill would; without a row, leaves nothing behind. */
  abort(): void {
    const { store } = this;
    this.collected?.dispose();
    store?.abort();
    if (store?.rowsWritten === 0) fs.rmSync(this.path, { recursive: true });
  }
}

/** Those of `ids` [n] and `rows` [n, width] at `positions`. */
function select(
  ids: Int32Array,
  rows: Float32Array,
  positions: readonly number[],
): [Int32Array, Float32Array] {
  if (positions.length === ids.length) return [ids, rows];
  const width = rows.length / ids.length;
  const selected = new Float32Array(positions.length * width);
  positions.forEach((from, to) => {
    selected.set(rows.subarray(from * width, (from + 1) * width), to * width);
  });
  return [Int32Array.from(positions, (i) => ids[i] ?? -1), selected];
}

/** Which row cannot be stored, and why. */
function failedRow(error: unknown): { row: number; reason: string } {
  if (!(error instanceof NonFiniteValueError) || error.example === undefined) throw error;
  return { row: error.example, reason: error.message };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}
