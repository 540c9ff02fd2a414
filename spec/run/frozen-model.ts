/** A frozen classifier and passes over a small data set of it, for specs and the processes they kill. */
import tf = require('@tensorflow/tfjs');
import type { LossBatch } from '../../callbacks';
import { denseCase } from '../support/small-models';

export const EXAMPLES = 24;

/** Cross-entropy of each example [N], of targets [N, C] and probabilities. */
export function losses(model: tf.LayersModel, xs: tf.Tensor, ys: tf.Tensor): tf.Tensor1D {
  const probabilities = model.apply(xs, { training: false }) as tf.Tensor;
  return tf.tidy(() => ys.mul(probabilities.log()).sum<tf.Tensor1D>(-1).neg());
}

/** The data set in batches of these examples. */
export function* lossBatches(
  model: tf.LayersModel,
  batches: readonly (readonly number[])[],
): Generator<LossBatch, void, undefined> {
  const { xs, ys } = denseCase.data(EXAMPLES);
  try {
    for (const ids of batches) {
      const [x, y] = [xs, ys].map((all) => tf.gather(all, [...ids])) as [tf.Tensor, tf.Tensor];
      yield {
        ids: Int32Array.from(ids),
        loss: () => losses(model, x, y).sum<tf.Scalar>(),
        dispose: () => {
          tf.dispose([x, y]);
        },
      };
    }
  } finally {
    tf.dispose([xs, ys]);
  }
}

/** Each example once, in an order that is not the data set's, the last batch ragged. */
export const BATCHES = [
  [17, 3, 22, 9, 0],
  [1, 23, 2, 16, 11],
  [4, 15, 5, 14, 6],
  [21, 7, 20, 8, 19],
  [10, 18, 12, 13],
];
