/** Writes the run of a pass over a frozen model, begun now or by a process that was killed. */
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  Float16OverflowError,
  NonFiniteValueError,
  RepeatedExampleError,
  RunExistsError,
  RunMismatchError,
} from '../errors';
import { guardWrite } from '../store/disk';
import { STORE_FILES, type Column, type StoreLayout } from '../store/format';
import { readManifest } from '../store/manifest';
import { GradientStoreWriter } from '../store/writer';
import {
  RUN_MANIFEST,
  readRunManifest,
  writeRunManifest,
  type FailedExample,
  type RunManifest,
} from './run-manifest';
import { runPaths, STATIC } from './run-paths';

/** What a run must have been begun with for a call to go on with it. */
const FIXED = [
  'frozen',
  'weightsDigest',
  'layers',
  'projection',
  'includeBias',
  'attention',
  'normalizer',
  'dtype',
  'examples',
  'backend',
] as const satisfies readonly (keyof RunManifest)[];

export class FrozenRunWriter {
  /** Examples of this pass that have no row. */
  readonly failed: FailedExample[] = [];
  /** One byte for each example met in this pass. */
  private seen = new Uint8Array();
  /** The highest id met and one. */
  private met = 0;

  private constructor(
    readonly path: string,
    private manifest: RunManifest,
    /** Null once the store is sealed. */
    private store: GradientStoreWriter | null,
  ) {}

  /**
   * Begins the run `manifest` in `path`, or goes on with what there is of it.
   * @throws RunExistsError if something else is there, RunMismatchError if that run was begun otherwise;
   *   CorruptStoreError, DiskWriteError
   */
  static open(path: string, manifest: RunManifest, columns: readonly Column[]): FrozenRunWriter {
    const begun = readBegun(path);
    if (begun !== null) checkSame(path, begun, manifest);
    else {
      guardWrite(path, 0, () => fs.mkdirSync(path, { recursive: true }));
      writeRunManifest(path, manifest);
    }
    const layout = { rows: manifest.examples ?? 0, dtype: manifest.dtype, columns };
    return new FrozenRunWriter(path, begun ?? manifest, openStore(runPaths.store(path, STATIC), layout));
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

  /** Takes note of a batch's examples; tells whether any of them has no row yet. @throws RepeatedExampleError */
  meet(ids: Int32Array): boolean {
    this.met = ids.reduce((most, id) => Math.max(most, id + 1), this.met);
    if (this.met > this.seen.length) {
      const longer = new Uint8Array(powerOfTwo(this.met));
      longer.set(this.seen);
      this.seen = longer;
    }
    for (const id of ids) {
      if (this.seen[id] === 1) throw new RepeatedExampleError(id);
      this.seen[id] = 1;
    }
    const { store } = this;
    return store !== null && ids.some((id) => !store.isWritten(id));
  }

  /**
   * Writes those of the rows [n, width] of `ids` [n] that are not there yet; returns how many. A row that cannot be
   * stored is left out and its example counts as failed. Of a first batch without a single good row the error is
   * thrown, since then it is hardly the example. @throws NonFiniteValueError, Float16OverflowError, ExampleRangeError,
   *   DiskWriteError
   */
  write(ids: Int32Array, rows: Float32Array): number {
    const { store } = this;
    if (store === null) throw new Error('internal: rows for a sealed store');
    if (this.manifest.examples === null && this.met > store.layout.rows) store.resize(powerOfTwo(this.met));
    let missing = [...ids.keys()].filter((i) => !store.isWritten(ids[i] ?? -1));
    while (missing.length > 0) {
      try {
        store.write(...select(ids, rows, missing));
        break;
      } catch (error) {
        const failed = failedExample(error);
        missing = missing.filter((i) => ids[i] !== failed.example);
        if (missing.length === 0 && store.rowsWritten === 0) throw error;
        this.failed.push(failed);
      }
    }
    return missing.length;
  }

  /** Completes the store. Harmless if it is. @throws DiskWriteError */
  async seal(): Promise<void> {
    const { store } = this;
    if (store === null) return;
    this.manifest = {
      ...this.manifest,
      examples: this.manifest.examples ?? this.met,
      failed: this.failed,
    };
    writeRunManifest(this.path, this.manifest);
    if (store.layout.rows !== this.manifest.examples) store.resize(this.manifest.examples ?? 0);
    await store.close();
    this.store = null;
  }

  /** Calls the run complete. Everything else must be in place. @throws DiskWriteError */
  finish(): void {
    this.manifest = { ...this.manifest, state: 'complete' };
    writeRunManifest(this.path, this.manifest);
  }

  /** Stops and leaves the run as a kill would; without a row, leaves nothing behind. */
  abort(): void {
    const { store } = this;
    store?.abort();
    if (store?.rowsWritten === 0) fs.rmSync(this.path, { recursive: true });
  }
}

/** The manifest of the run in `directory`; null if nothing is there. @throws RunExistsError if something else is */
function readBegun(directory: string): RunManifest | null {
  if (!fs.existsSync(directory)) return null;
  if (!fs.statSync(directory).isDirectory()) throw new RunExistsError(directory);
  const names = fs.readdirSync(directory);
  if (names.includes(RUN_MANIFEST)) return readRunManifest(directory);
  // A kill while the manifest was written leaves the beginning of it.
  if (names.every((name) => name.startsWith(RUN_MANIFEST))) return null;
  throw new RunExistsError(directory);
}

/** @throws RunMismatchError naming the first thing that differs */
function checkSame(directory: string, begun: RunManifest, asked: RunManifest): void {
  if (begun.frozen === null) throw new RunExistsError(directory);
  for (const field of FIXED) {
    if (field === 'examples' && (begun.examples === null || asked.examples === null)) continue;
    if (isDeepStrictEqual(plain(begun[field]), plain(asked[field]))) continue;
    throw new RunMismatchError(directory, field, JSON.stringify(begun[field]), JSON.stringify(asked[field]));
  }
}

/** As it is after it was stored. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

/** A writer for the store in `directory`, begun or gone on with; null if it is complete. */
function openStore(directory: string, layout: StoreLayout): GradientStoreWriter | null {
  if (readManifest(directory) !== undefined) return null;
  const begun = fs.existsSync(path.join(directory, STORE_FILES.info));
  return begun
    ? GradientStoreWriter.resume(directory, layout)
    : GradientStoreWriter.create(directory, layout);
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

function failedExample(error: unknown): FailedExample {
  const ofRow = error instanceof NonFiniteValueError || error instanceof Float16OverflowError;
  if (!ofRow || error.example === undefined) throw error;
  return { example: error.example, reason: error.message };
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}
