/** The callback that records a run while `model.fit` trains. Lifecycle only: no mathematics, no bytes. */
import * as tf from '@tensorflow/tfjs';
import { findFit, reportsExampleIds, type Fit } from '../lib/capture/example-ids';
import { UnpreparedModelError } from '../lib/errors';
import { RunRecorder, type RunOptions } from '../lib/run/run-recorder';

/** Milliseconds, as tfjs's own `yieldEvery: 'auto'`. */
const YIELD_EVERY = 125;

/**
 * Captures every training example's gradient during `model.fit` and writes a run: per-epoch gradient stores,
 * the training order, the normalizer's state, the trained model and an index.
 *
 * @example
 * prepareForGradientCollection(model);
 * const collector = new GradientCollectorCallback({ path: 'runs/digits', trackOrder: true });
 * await model.fit(xs, ys, { epochs: 3, callbacks: [collector] });
 */
export class GradientCollectorCallback extends tf.Callback {
  private recorder: RunRecorder | null = null;
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

  /** @throws UnpreparedModelError, RunExistsError, UnsupportedLayerError, UnknownLayerError, InvalidOptionError, OptimizerStateError */
  override onTrainBegin(): Promise<void> {
    const fit = this.findFit();
    const recorder = RunRecorder.start(fit.model, fit.examples, this.options);
    fit.interceptor = (ids, step) => recorder.captureStep(ids, step);
    fit.onFailure = () => {
      recorder.abort();
    };
    this.recorder = recorder;
    return Promise.resolve();
  }

  override onEpochBegin(epoch: number): Promise<void> {
    this.recorder?.beginEpoch(epoch);
    return Promise.resolve();
  }

  /** @throws NonFiniteGradientError, Float16OverflowError, DiskWriteError */
  override async onBatchEnd(): Promise<void> {
    await this.recorder?.writeStep();
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

  private findFit(): Fit {
    const fit = findFit(this);
    if (fit !== undefined) return fit;
    const model = this.model as tf.LayersModel | undefined;
    const prepared = model !== undefined && reportsExampleIds(model);
    throw new UnpreparedModelError(
      prepared ? 'the model is prepared, but not trained by `fit`' : 'the model is not prepared',
    );
  }
}
