/** Shows how far a training is, and tells of the loss of each epoch. */
import tf = require('@tensorflow/tfjs');
import type { ShowProgress, StageProgress } from '../../lib/build/build-run';
import type { TrainingPast } from './training-keeper';

/** How much of the loss that is shown is of steps before. */
const MEMORY = 0.95;

export class TrainingProgress extends tf.Callback {
  stepsDone: number;
  /** The mean of each epoch. */
  readonly losses: number[];
  private readonly bar: StageProgress;
  private readonly start = performance.now();
  private recent: number | undefined;

  constructor(
    steps: number,
    private readonly epochs: number,
    show: ShowProgress,
    private readonly tell: (line: string) => void,
    past: TrainingPast,
  ) {
    super();
    this.stepsDone = past.steps;
    this.losses = [...past.losses];
    this.bar = show('training', steps);
    this.bar.skip(past.steps);
  }

  override async onBatchEnd(_batch: number, logs?: tf.Logs): Promise<void> {
    const loss = (await toNumber(logs?.loss)) ?? NaN;
    this.recent = this.recent === undefined ? loss : MEMORY * this.recent + (1 - MEMORY) * loss;
    this.stepsDone++;
    this.bar.update(this.stepsDone, `loss ${this.recent.toFixed(3)}`);
  }

  override async onEpochEnd(epoch: number, logs?: tf.Logs): Promise<void> {
    const loss = (await toNumber(logs?.loss)) ?? NaN;
    this.losses.push(loss);
    const seconds = ((performance.now() - this.start) / 1000).toFixed(1);
    this.tell(`epoch ${epoch + 1} of ${this.epochs}: loss ${loss.toFixed(3)} (${seconds} s)`);
  }

  override onTrainEnd(): Promise<void> {
    this.stop();
    return Promise.resolve();
  }

  stop(): void {
    this.bar.stop();
  }
}

/** tfjs hands a callback's logs over as numbers or as tensors of one. */
async function toNumber(value: unknown): Promise<number | undefined> {
  if (value instanceof tf.Tensor) return (await value.data())[0];
  return typeof value === 'number' ? value : undefined;
}
