/** Trains with a collector for a number of steps, and expects as many tensors after each, and none after all. */
import tf = require('@tensorflow/tfjs');
import { GradientCollectorCallback, prepareForGradientCollection } from '../../callbacks';
import { denseCase } from '../support/small-models';

const BATCH_SIZE = 8;

export async function expectFlatCount(path: string, steps: number): Promise<void> {
  const counts: number[] = [];
  class Counter extends tf.Callback {
    override onBatchEnd(): Promise<void> {
      counts.push(tf.memory().numTensors);
      return Promise.resolve();
    }
  }
  const collector = new GradientCollectorCallback({
    path,
    index: false,
    useOptimizerState: true,
    trackOrder: true,
  });
  const before = tf.memory().numTensors;
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(steps * BATCH_SIZE);
  // One epoch: tfjs's own history keeps a tensor for each epoch until `fit` ends.
  const options = { epochs: 1, batchSize: BATCH_SIZE, verbose: 0, callbacks: [collector, new Counter()] };
  await model.fit(xs, ys, options);
  expect(counts).toHaveLength(steps);
  expect(new Set(counts.slice(2)).size).toBe(1);
  tf.dispose([xs, ys]);
  model.optimizer.dispose();
  model.dispose();
  expect(tf.memory().numTensors).toBe(before);
}
