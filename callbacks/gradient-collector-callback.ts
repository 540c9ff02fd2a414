/** The callback that records a run while `model.fit` or `model.fitDataset` trains. Lifecycle only: no mathematics, no bytes. */
import tf = require('@tensorflow/tfjs');
import { findTraining, reportsExampleIds, type Training } from '../lib/capture/training';
import { UnpreparedModelError } from '../lib/errors';
import { disposeStep, RunRecorder, type CapturedStep, type RunOptions } from '../lib/run/run-recorder';

/** Milliseconds, as tfjs's own `yieldEvery: 'auto'`. */
const YIELD_EVERY = 125;

/**
 * Captures every training example's gradient during `model.fit` or `model.fitDataset` and writes a run: per-epoch gradient stores,
 * the training order, the normalizer's state, the trained model and an index.
 *
 * @example
 * prepareForGradientCollection(model);
 * const collector = new GradientCollectorCallback({ path: 'runs/digits', trackOrder: true });
 * await model.fit(xs, ys, { epochs: 3, callbacks: [collector] });
 */
export class GradientCollectorCallback extends tf.Callback {
  private recorder: RunRecorder | null = null;
  /** A step that has run inside tfjs, where nothing can be awaited. */
  private captured: CapturedStep<tf.Scalar[]> | null = null;
  private lastYield = 0;

  constructor(private readonly options: RunOptions) {
    super();
    // tfjs wraps callbacks that stand beside plain callback objects, and then calls their hooks without `this`.
    this.onTrainBegin = this.onTrainBegin.bind(this);
    this.onTrainEnd = this.onTrainEnd.bind(this);
    this.onEpochBegin = this.onEpochBegin.bind(this);
    this.onEpochEnd = this.onEpochEnd.bind(this);
    this.onBatchEnd = this.onBatchEnd.bind(this);
  }

  /** @throws UnpreparedModelError, RunExistsError, RunMismatchError, UnsupportedLayerError, UnknownLayerError, AttentionHeadsError, InvalidOptionError, OptimizerStateError */
  override onTrainBegin(): Promise<void> {
    const training = this.findTraining();
    const { model, exampleCount } = training;
    const recorder = RunRecorder.start(model, { ...this.options, exampleCount });
    training.interceptor = (ids, step) => {
      this.captured = recorder.captureStep(ids, step);
      return this.captured.result;
    };
    training.onFailure = () => {
      const step = this.takeStep();
      if (step !== null) disposeStep(step);
      this.recorder = null;
      recorder.abort();
    };
    this.recorder = recorder;
    return Promise.resolve();
  }

  override onEpochBegin(epoch: number): Promise<void> {
    this.recorder?.beginEpoch(epoch);
    return Promise.resolve();
  }

  /** @throws NonFiniteGradientError, DiskWriteError */
  override async onBatchEnd(): Promise<void> {
    const step = this.takeStep();
    if (step !== null) await this.recorder?.writeStep(step);
    await this.yieldNow();
  }

  /** @throws DiskWriteError */
  override async onEpochEnd(): Promise<void> {
    await this.recorder?.endEpoch();
  }

  /** @throws DiskWriteError */
  override async onTrainEnd(): Promise<void> {
    await this.recorder?.finish();
    this.recorder = null;
  }

  /** Lets timers and signals through now and then, as `fit` itself does only for plain callback objects. */
  private async yieldNow(): Promise<void> {
    if (performance.now() - this.lastYield < YIELD_EVERY) return;
    await tf.nextFrame();
    this.lastYield = performance.now();
  }

  private takeStep(): CapturedStep<tf.Scalar[]> | null {
    const step = this.captured;
    this.captured = null;
    return step;
  }

  private findTraining(): Training {
    const training = findTraining(this);
    if (training !== undefined) return training;
    const model = this.model as tf.LayersModel | undefined;
    const prepared = model !== undefined && reportsExampleIds(model);
    throw new UnpreparedModelError(
      prepared ? 'the model is prepared, but not for this training' : 'the model is not prepared',
    );
  }
}
