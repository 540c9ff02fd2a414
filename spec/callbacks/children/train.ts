/** Trains for far longer than any spec waits, printing every step that has been recorded. */
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, loadBackend, prepareForGradientCollection } from '../../../callbacks';
import { denseCase } from '../../support/small-models';

class Progress extends tf.Callback {
  private step = 0;

  override onBatchEnd(): Promise<void> {
    process.stdout.write(`step ${this.step++} recorded\n`);
    return Promise.resolve();
  }
}

async function main(): Promise<void> {
  await loadBackend();
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(40);
  const collector = new GradientCollectorCallback({
    path: process.argv[2] ?? '',
    trackOrder: true,
    accumulate: process.argv[3] === 'accumulate',
    index: false,
  });
  const callbacks = [collector, new Progress()];
  await model.fit(xs, ys, { batchSize: 4, epochs: 100_000, shuffle: false, verbose: 0, callbacks });
}

void main();
