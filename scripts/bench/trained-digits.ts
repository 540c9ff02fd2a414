/** The demo's network trained on digits of which a tenth is labelled wrong: what the influence benchmark asks about. */
import tf = require('@tensorflow/tfjs');
import { batchLoss, type Batch } from '../../lib/compiled-model';
import type { LossBatch } from '../../lib/run/loss-batch';
import { CLASSES, loadDigits, toTensors, type Tensors } from '../demo/digits';
import { flipLabels } from '../demo/flipped-labels';
import { buildNetwork } from '../demo/network';
import { BATCH_SIZE } from '../demo/training';

const FLIPPED_SHARE = 0.1;
const EPOCHS = 3;
/** Of passes over a frozen model, which hold no optimizer's state to bound them. */
const PASS_BATCH = 256;

export interface TrainedDigits {
  readonly model: tf.LayersModel;
  readonly train: Tensors;
  /** Which training labels are wrong. */
  readonly flipped: readonly boolean[];
  readonly test: Tensors;
}

/** Trains on `count` digits; their order, and which labels are wrong, depend on `seed`. The caller disposes. */
export async function trainOnDigits(count: number, testCount: number, seed: number): Promise<TrainedDigits> {
  const all = loadDigits(seed);
  const digits = all.slice(0, count);
  const { labels, flipped } = flipLabels(
    digits.map(({ label }) => label),
    FLIPPED_SHARE,
    CLASSES,
    seed,
  );
  const train = toTensors(digits, labels);
  const test = toTensors(all.slice(count, count + testCount));
  const model = buildNetwork();
  await model.fit(train.xs, train.ys, { epochs: EPOCHS, batchSize: BATCH_SIZE, verbose: 0 });
  return { model, train, flipped, test };
}

export function disposeDigits({ model, train, test }: TrainedDigits): void {
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([train.xs, train.ys, test.xs, test.ys]);
}

/** A pass over digits in their order, under the model's own loss. */
export async function* passOver(model: tf.LayersModel, { xs, ys }: Tensors): AsyncGenerator<LossBatch> {
  const total = xs.shape[0];
  for (let first = 0; first < total; first += PASS_BATCH) {
    const count = Math.min(PASS_BATCH, total - first);
    const batch: Batch = { xs: xs.slice(first, count), ys: ys.slice(first, count) };
    yield await Promise.resolve({
      ids: Int32Array.from({ length: count }, (_, i) => first + i),
      loss: () => batchLoss(model, batch).mul<tf.Scalar>(count),
      dispose: () => {
        tf.dispose([batch.xs, batch.ys]);
      },
    });
  }
}
