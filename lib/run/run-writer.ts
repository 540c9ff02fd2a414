/** Writes a run while training goes: rows, training order, and last of all a manifest that calls it complete. */
import fs from 'node:fs';
import type { RowColumns } from '../../kernels/row-terms';
import { InvalidOptionError, NonFiniteGradientError, NonFiniteValueError, RunExistsError } from '../errors';
import { CollectedAutocorrelation } from '../preconditioners/collected-autocorrelation';
import { addStore } from '../store/accumulate';
import { guardWrite } from '../store/disk';
import type { Column, StoreLayout } from '../store/format';
import { GradientStoreReader } from '../store/reader';
import { TrainingOrderWriter, type StepRate } from '../store/training-order';
import { GradientStoreWriter } from '../store/writer';
import { writeRunManifest, type EpochRecord, type RunDescription } from './run-manifest';
import { readBegun } from './begun-run';
import { ACCUMULATED, epochOfStore, epochStore, runPaths } from './run-paths';

export class RunWriter {
  private readonly isNew: boolean;
  private readonly epochs: EpochRecord[];
  private readonly order: TrainingOrderWriter | null;
  /** How many examples there are, or, where that is not known beforehand, how many there have been: the highest id and one. */
  private examples: number;
  private store: GradientStoreWriter | null = null;
  /** Of the epoch's store, where it is wanted. */
  private collected: CollectedAutocorrelation | undefined;
  private epoch = 0;
  /** Waits for the step that was begun and may not be written yet. */
  private begun: (() => void) | null = null;
  private step: number;
  private firstStep = 0;

  private constructor(
    readonly path: string,
    private description: RunDescription,
    private readonly columns: readonly Column[],
    /** What an earlier call has finished of the run; null if this one begins it. */
    begun: readonly EpochRecord[] | null,
    private readonly autocorrelation: boolean,
  ) {
    this.isNew = begun === null;
    this.epochs = [...(begun ?? [])];
    this.step = this.epochs.reduce((sum, { steps }) => sum + steps, 0);
    this.examples = description.examples ?? 0;
    this.writeManifest('training', null);
    guardWrite(runPaths.stores(path), 0, () => {
      fs.mkdirSync(runPaths.stores(path), { recursive: true });
    });
    this.order = description.trackOrder ? this.openOrder() : null;
  }

  /**
   * Starts a run in `path`, which must not exist or be empty. `autocorrelation` says whether that of each store is kept.
   * @throws RunExistsError, AutocorrelationWidthError, DiskWriteError
   */
  static create(
    path: string,
    description: RunDescription,
    columns: readonly Column[],
    { autocorrelation = false } = {},
  ): RunWriter {
    if (autocorrelation) new CollectedAutocorrelation(columns).dispose(); // too wide ones fail before training
    if (fs.existsSync(path) && (!fs.statSync(path).isDirectory() || fs.readdirSync(path).length > 0)) {
      throw new RunExistsError(path);
    }
    return RunWriter.begin(path, description, columns, autocorrelation);
  }

  /**
   * Goes on with the run in `path` from `epoch`, and drops what it has of that and later ones; from 0 it may be begun.
   * @throws RunExistsError if something else is there, RunMismatchError if it was begun otherwise, InvalidOptionError if it
   *   has not got so far; CorruptRecordError, DiskWriteError
   */
  static resume(
    path: string,
    description: RunDescription,
    columns: readonly Column[],
    epoch: number,
    { autocorrelation = false } = {},
  ): RunWriter {
    const begun = readBegun(path, description);
    const kept = begun?.epochs.filter((each) => each.epoch < epoch) ?? [];
    if (kept.length !== epoch)
      throw new InvalidOptionError(
        'resumeFrom',
        epoch,
        `at most ${kept.length}, the finished epochs of ${path}`,
      );
    if (begun === null) return RunWriter.begin(path, description, columns, autocorrelation);
    dropFrom(path, epoch);
    const { created, versions, examples } = begun;
    return new RunWriter(
      path,
      { ...description, created, versions, examples },
      columns,
      kept,
      autocorrelation,
    );
  }

  private static begin(
    path: string,
    description: RunDescription,
    columns: readonly Column[],
    autocorrelation: boolean,
  ): RunWriter {
    guardWrite(path, 0, () => fs.mkdirSync(path, { recursive: true }));
    return new RunWriter(path, description, columns, null, autocorrelation);
  }

  /** Says how many examples there are, which was not known. Before the first epoch. */
  setExamples(examples: number): void {
    this.description = { ...this.description, examples };
    this.examples = examples;
    this.writeManifest('training', null);
  }

  /** Opens the store of `epoch`. @throws DiskWriteError */
  beginEpoch(epoch: number): void {
    this.epoch = epoch;
    this.firstStep = this.step;
    const layout: StoreLayout = {
      rows: this.examples,
      dtype: this.description.dtype,
      columns: this.columns,
    };
    this.store = GradientStoreWriter.create(runPaths.store(this.path, epochStore(epoch)), layout);
    if (this.description.accumulate) return;
    this.collected = this.newAutocorrelation();
    this.store.observe(this.collected);
  }

  /**
   * Writes one step's rows [n, width] and then its place in the training order.
   * @throws NonFiniteGradientError before anything of the step is written; DiskWriteError
   */
  writeStep(examples: Int32Array, rows: Float32Array, rate: StepRate): void {
    this.settle();
    const store = this.openStore();
    if (this.grows) this.makeRoom(store, examples);
    namingStep(this.step, () => {
      store.write(examples, rows);
    });
    this.order?.append({ step: this.step, epoch: this.epoch, examples, ...rate });
    this.step++;
  }

  /** Whether `beginStep` serves, or only `writeStep`. */
  get beginsSteps(): boolean {
    return this.openStore().beginsWrites;
  }

  /**
   * Begins to write one step's rows by their columns, times `factor`, and then its place in the training order: gradients among them
   * may be the background's own that are not there yet, and all be disposed at once. What keeps it from being written is thrown by
   * whatever is asked of this writer next, before it does anything.
   * @throws NonFiniteGradientError, DiskWriteError
   */
  beginStep(examples: Int32Array, columns: RowColumns, factor: number, rate: StepRate): void {
    this.settle();
    const { step, order } = this;
    const store = this.openStore();
    if (this.grows) this.makeRoom(store, examples);
    const { learningRate, lossWeight } = rate;
    const place = order?.toAppend({ step, epoch: this.epoch, examples, learningRate, lossWeight });
    const orTakeBack = <T>(action: () => T): T => {
      try {
        return action();
      } catch (error) {
        if (place !== undefined) order?.takeBack(place);
        this.step = step;
        throw error;
      }
    };
    const after = place === undefined ? [] : [place];
    const rows = orTakeBack(() => store.beginWrite(examples, columns, factor, after));
    this.step++;
    this.begun = () => {
      orTakeBack(() => {
        namingStep(step, () => {
          rows.settle();
        });
      });
    };
  }

  /** Waits until the step that was begun is written. @throws NonFiniteGradientError, DiskWriteError */
  private settle(): void {
    const { begun } = this;
    this.begun = null;
    begun?.();
  }

  /**
   * Seals the epoch's store; when accumulating, adds it to the sums and removes it. An epoch without a step leaves
   * no store. @throws DiskWriteError
   */
  async endEpoch(): Promise<void> {
    this.settle();
    const store = this.openStore();
    const steps = this.step - this.firstStep;
    this.store = null;
    if (this.grows) store.resize(this.examples);
    if (steps > 0) await store.close();
    else store.abort();
    this.disposeAutocorrelation();
    if (steps > 0 && this.description.accumulate) await this.accumulate(store.directory);
    if (steps === 0 || this.description.accumulate) fs.rmSync(store.directory, { recursive: true });
    this.epochs.push({ epoch: this.epoch, steps, rows: store.rowsWritten });
    this.writeManifest('training', null);
  }

  /** Calls the run complete. Everything else must be in place. */
  finish(weightsDigest: string): void {
    this.order?.close();
    this.writeManifest('complete', weightsDigest);
  }

  /**
   * Stops writing and leaves the run as a kill would: readable, and known to be unfinished. Before its first step a
   * new run leaves nothing behind.
   */
  abort(): void {
    try {
      this.settle();
    } catch {
      // What ended the training is what its caller hears of.
    }
    this.store?.abort();
    this.store = null;
    this.disposeAutocorrelation();
    this.order?.close();
    if (this.isNew && this.step === 0) fs.rmSync(this.path, { recursive: true });
  }

  /** Whether there is a row for any id, however large. */
  private get grows(): boolean {
    return this.description.examples === null;
  }

  private makeRoom(store: GradientStoreWriter, examples: Int32Array): void {
    this.examples = examples.reduce((most, example) => Math.max(most, example + 1), this.examples);
    if (this.examples <= store.layout.rows) return;
    // Doubling: a store of n rows is resized log n times, not once a step.
    store.resize(2 ** Math.ceil(Math.log2(this.examples)));
  }

  private async accumulate(directory: string): Promise<void> {
    const store = GradientStoreReader.open(directory);
    const observer = this.newAutocorrelation();
    try {
      await addStore(store, runPaths.store(this.path, ACCUMULATED), { observer });
    } finally {
      store.close();
      observer?.dispose();
    }
  }

  private newAutocorrelation(): CollectedAutocorrelation | undefined {
    return this.autocorrelation ? new CollectedAutocorrelation(this.columns) : undefined;
  }

  private disposeAutocorrelation(): void {
    this.collected?.dispose();
    this.collected = undefined;
  }

  private openOrder(): TrainingOrderWriter {
    const file = runPaths.trainingOrder(this.path);
    return this.step === 0 ? TrainingOrderWriter.create(file) : TrainingOrderWriter.resume(file, this.step);
  }

  private openStore(): GradientStoreWriter {
    if (this.store === null) throw new Error('internal: a step outside an epoch');
    return this.store;
  }

  private writeManifest(state: 'training' | 'complete', weightsDigest: string | null): void {
    const examples = this.grows && this.epochs.length === 0 ? null : this.examples;
    writeRunManifest(this.path, {
      ...this.description,
      examples,
      state,
      epochs: this.epochs,
      weightsDigest,
      failed: [],
    });
  }
}

/** Runs `write`; a number that is not finite becomes one of `step`. @throws NonFiniteGradientError */
function namingStep(step: number, write: () => void): void {
  try {
    write();
  } catch (cause) {
    if (!(cause instanceof NonFiniteValueError)) throw cause;
    const { layer = '', example = -1, value } = cause;
    throw new NonFiniteGradientError(layer, step, example, value, { cause });
  }
}

/** Removes the stores of `epoch` and later ones, and what is written when training ends. @throws DiskWriteError */
function dropFrom(run: string, epoch: number): void {
  guardWrite(run, 0, () => {
    const names = fs.existsSync(runPaths.stores(run)) ? fs.readdirSync(runPaths.stores(run)) : [];
    const stores = names.filter((name) => (epochOfStore(name) ?? -1) >= epoch);
    for (const each of [
      ...stores.map((name) => runPaths.store(run, name)),
      runPaths.normalizer(run),
      runPaths.model(run),
    ])
      fs.rmSync(each, { recursive: true, force: true });
  });
}
