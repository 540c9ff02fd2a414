/** Records a run from a training loop that the caller writes. */
import type * as tf from '@tensorflow/tfjs';
import { InvalidOptionError, RecordingOrderError } from '../errors';
import { toExampleIds } from '../example-ids';
import { RunRecorder, type RunOptions, type TrainingOptions } from './run-recorder';

export type TrainingRecorderOptions = RunOptions & TrainingOptions;

/**
 * Writes the run that a `GradientCollectorCallback` writes, from a loop without callbacks: one around
 * `model.trainOnBatch`, or around an optimizer's `minimize`, for which the model need not be compiled. If the loop ends
 * early, by an error, the run holds every step before; by a kill, all but perhaps the last of them.
 *
 * @example
 * const recorder = TrainingRecorder.start(model, { path: 'runs/digits' });
 * for (let epoch = 0; epoch < 3; epoch++) {
 *   recorder.beginEpoch(epoch);
 *   for (const { ids, xs, ys } of batches) await recorder.step(ids, () => model.trainOnBatch(xs, ys));
 *   await recorder.endEpoch();
 * }
 * await recorder.finish();
 */
export class TrainingRecorder {
  private epoch: number | null = null;
  private state: 'idle' | 'in a step' | 'ended' = 'idle';

  private constructor(
    private readonly recorder: RunRecorder,
    private lastEpoch: number,
  ) {}

  /**
   * Starts a run of `model`, or goes on with one. Nothing new is left behind if it throws.
   * @throws RunExistsError, RunMismatchError, UnsupportedLayerError, UnknownLayerError, AttentionHeadsError, InvalidOptionError, OptimizerStateError
   */
  static start(model: tf.LayersModel, options: TrainingRecorderOptions): TrainingRecorder {
    return new TrainingRecorder(RunRecorder.start(model, options), (options.resumeFrom ?? 0) - 1);
  }

  /**
   * Begins the store of `epoch`, a whole number greater than that of the epoch before.
   * @throws InvalidOptionError, RecordingOrderError, DiskWriteError
   */
  beginEpoch(epoch: number): void {
    this.expect('beginEpoch', 'outside');
    if (!Number.isSafeInteger(epoch) || epoch <= this.lastEpoch)
      throw new InvalidOptionError('epoch', epoch, `a whole number greater than ${this.lastEpoch}`);
    this.recorder.beginEpoch(epoch);
    this.epoch = epoch;
    this.lastEpoch = epoch;
  }

  /**
   * Runs one training step and writes the rows of its examples. `body` trains on the batch, once, and may return a
   * promise; what it returns, or what that resolves to, is the result. Nothing of a step that throws is written. With the addon
   * rows are written while training goes on: then what kept a step's from being written is thrown by the next one, or by
   * `endEpoch`, and names its step.
   * @param ids The batch's examples [batch], as row numbers of the data set, in the order of the batch.
   * @throws InvalidOptionError, BatchAxisError, NoGradientError, NonFiniteGradientError,
   *   ExampleRangeError, RecordingOrderError, DiskWriteError
   */
  async step<T>(ids: ArrayLike<number>, body: () => T | Promise<T>): Promise<T> {
    this.expect('step', 'inside');
    const examples = toExampleIds('ids', ids);
    this.state = 'in a step';
    try {
      const step = await this.recorder.captureAsyncStep(examples, body);
      await this.recorder.writeStep(step);
      return step.result;
    } finally {
      this.state = 'idle';
    }
  }

  /** Completes the epoch's store. @throws RecordingOrderError, DiskWriteError */
  async endEpoch(): Promise<void> {
    this.expect('endEpoch', 'inside');
    this.epoch = null;
    await this.recorder.endEpoch();
  }

  /** Saves the model, builds the index, and calls the run complete. @throws RecordingOrderError, DiskWriteError */
  async finish(): Promise<void> {
    this.expect('finish', 'outside');
    this.state = 'ended';
    await this.recorder.finish();
  }

  /**
   * Stops recording, for instance after an error, and leaves what there is of the run: readable, and known to be
   * unfinished. Before its first step a run leaves nothing behind. Harmless after the end.
   */
  abort(): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.recorder.abort();
  }

  private expect(method: string, place: 'inside' | 'outside'): void {
    const { state, epoch } = this;
    if (state === 'ended') throw new RecordingOrderError(method, 'after the end', 'start another recorder');
    if (state === 'in a step')
      throw new RecordingOrderError(method, 'during a step', 'await the promise that `step` returned first');
    if (place === 'inside' && epoch === null)
      throw new RecordingOrderError(method, 'outside an epoch', 'call `beginEpoch` first');
    if (place === 'outside' && epoch !== null)
      throw new RecordingOrderError(method, `during epoch ${epoch}`, 'await `endEpoch` first');
  }
}
