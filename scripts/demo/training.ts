/** Trains the demo's model with the collector, shows how far it is, and lets Ctrl-C end it early. */
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import type { StageProgress } from '../../lib/build/build-run';
import type { RunOptions } from '../../lib/run/run-recorder';
import type { Tensors } from './digits';
import { startProgress } from '../terminal/progress-bar';

export const BATCH_SIZE = 32;

/** What the demo has the collector keep. */
export const COLLECTOR_OPTIONS = { projectionDim: 16, trackOrder: true } as const;

/** Trains `model` on the digits as they are labelled, and records the run. Resolves to whether it was interrupted. */
export async function train(
  model: tf.LayersModel,
  { xs, ys }: Tensors,
  epochs: number,
  options: RunOptions,
): Promise<boolean> {
  const steps = Math.ceil(xs.shape[0] / BATCH_SIZE);
  const collector = new GradientCollectorCallback({ ...COLLECTOR_OPTIONS, ...options });
  const progress = new TrainingProgress(steps, epochs);
  const interrupt = () => {
    // A second Ctrl-C finds no listener, and ends the process.
    model.stopTraining = true;
  };
  process.once('SIGINT', interrupt);
  try {
    await prepareForGradientCollection(model).fit(xs, ys, {
      epochs,
      batchSize: BATCH_SIZE,
      verbose: 0,
      // Progress first: its bar is to end before that of the index begins.
      callbacks: [progress, collector],
    });
  } finally {
    process.off('SIGINT', interrupt);
    progress.stop();
  }
  return progress.stepsDone < steps * epochs;
}

/** A bar over all steps on a terminal, a line an epoch elsewhere. */
class TrainingProgress extends tf.Callback {
  stepsDone = 0;
  private readonly bar: StageProgress;
  private readonly start = performance.now();

  constructor(
    steps: number,
    private readonly epochs: number,
  ) {
    super();
    this.bar = startProgress('training', steps * epochs);
  }

  override onBatchEnd(): Promise<void> {
    this.stepsDone++;
    this.bar.update(this.stepsDone);
    return Promise.resolve();
  }

  override async onEpochEnd(epoch: number, logs?: tf.Logs): Promise<void> {
    const [loss, accuracy] = await Promise.all([logs?.loss, logs?.acc].map(numberOf));
    const note = `loss ${(loss ?? NaN).toFixed(3)}, accuracy ${(100 * (accuracy ?? NaN)).toFixed(1)} %`;
    this.bar.update(this.stepsDone, note);
    if (process.stderr.isTTY) return;
    const seconds = ((performance.now() - this.start) / 1000).toFixed(1);
    console.log(`  epoch ${epoch + 1} of ${this.epochs}: ${note} (${seconds} s)`);
  }

  override onTrainEnd(): Promise<void> {
    this.stop();
    return Promise.resolve();
  }

  stop(): void {
    this.bar.stop();
  }
}

/** tfjs hands an epoch's logs to callbacks as numbers or as tensors of one. */
async function numberOf(value: unknown): Promise<number | undefined> {
  if (value instanceof tf.Tensor) return (await value.data())[0];
  return typeof value === 'number' ? value : undefined;
}
