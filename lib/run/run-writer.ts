/** Writes a run while training goes: rows, training order, and last of all a manifest that calls it complete. */
import fs from 'node:fs';
import { NonFiniteGradientError, NonFiniteValueError, RunExistsError } from '../errors';
import { addStore } from '../store/accumulate';
import { guardWrite } from '../store/disk';
import type { Column, StoreLayout } from '../store/format';
import { GradientStoreReader } from '../store/reader';
import { TrainingOrderWriter } from '../store/training-order';
import { GradientStoreWriter } from '../store/writer';
import { writeRunManifest, type EpochRecord, type RunDescription } from './run-manifest';
import { ACCUMULATED, epochStore, runPaths } from './run-paths';

export class RunWriter {
  private readonly epochs: EpochRecord[] = [];
  private readonly order: TrainingOrderWriter | null;
  private store: GradientStoreWriter | null = null;
  private epoch = 0;
  private step = 0;
  private firstStep = 0;

  private constructor(
    readonly path: string,
    private readonly description: RunDescription,
    private readonly layout: StoreLayout,
  ) {
    this.writeManifest('training', null);
    guardWrite(runPaths.stores(path), 0, () => {
      fs.mkdirSync(runPaths.stores(path));
    });
    this.order = description.trackOrder ? TrainingOrderWriter.create(runPaths.trainingOrder(path)) : null;
  }

  /** Starts a run in `path`, which must not exist or be empty. @throws RunExistsError, DiskWriteError */
  static create(path: string, description: RunDescription, columns: readonly Column[]): RunWriter {
    if (fs.existsSync(path) && (!fs.statSync(path).isDirectory() || fs.readdirSync(path).length > 0)) {
      throw new RunExistsError(path);
    }
    guardWrite(path, 0, () => fs.mkdirSync(path, { recursive: true }));
    const layout = { rows: description.examples, dtype: description.dtype, columns };
    return new RunWriter(path, description, layout);
  }

  /** Opens the store of `epoch`. @throws DiskWriteError */
  beginEpoch(epoch: number): void {
    this.epoch = epoch;
    this.firstStep = this.step;
    this.store = GradientStoreWriter.create(runPaths.store(this.path, epochStore(epoch)), this.layout);
  }

  /**
   * Writes one step's rows [n, width] and then its place in the training order.
   * @throws NonFiniteGradientError and Float16OverflowError before anything of the step is written; DiskWriteError
   */
  writeStep(examples: Int32Array, rows: Float32Array): void {
    try {
      this.openStore().write(examples, rows);
    } catch (cause) {
      if (!(cause instanceof NonFiniteValueError)) throw cause;
      const { layer = '', example = -1, value } = cause;
      throw new NonFiniteGradientError(layer, this.step, example, value, { cause });
    }
    this.order?.append({ step: this.step, epoch: this.epoch, examples });
    this.step++;
  }

  /** Seals the epoch's store; when accumulating, adds it to the sums and removes it. @throws DiskWriteError */
  async endEpoch(): Promise<void> {
    const store = this.openStore();
    this.store = null;
    await store.close();
    if (this.description.accumulate) await this.accumulate(store.directory);
    this.epochs.push({ epoch: this.epoch, steps: this.step - this.firstStep, rows: store.rowsWritten });
    this.writeManifest('training', null);
  }

  /** Calls the run complete. Everything else must be in place. */
  finish(weightsDigest: string): void {
    this.order?.close();
    this.writeManifest('complete', weightsDigest);
  }

  /** Stops writing and leaves the run as a kill would: readable, and known to be unfinished. */
  abort(): void {
    this.store?.abort();
    this.store = null;
    this.order?.close();
  }

  private async accumulate(directory: string): Promise<void> {
    const store = GradientStoreReader.open(directory);
    try {
      await addStore(store, runPaths.store(this.path, ACCUMULATED));
    } finally {
      store.close();
    }
    fs.rmSync(directory, { recursive: true });
  }

  private openStore(): GradientStoreWriter {
    if (this.store === null) throw new Error('internal: a step outside an epoch');
    return this.store;
  }

  private writeManifest(state: 'training' | 'complete', weightsDigest: string | null): void {
    writeRunManifest(this.path, { ...this.description, state, epochs: this.epochs, weightsDigest });
  }
}
