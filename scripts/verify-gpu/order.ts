/** Whether native operations and TensorFlow's own, which it only queues, see each other's results. */
import tf = require('@tensorflow/tfjs');
import { sumProductsNatively, sumProductsPlainly } from '../../kernels/sum-products';
import type { TensorFlowBackend } from '../../kernels/tensorflow-backend';

const SIZE = 2048;
const REPEATS = 20;

/**
 * Before the operation many products are queued that its input is the last of; after it its inputs are freed and their
 * memory taken by others at once.
 */
export function ordered(backend: TensorFlowBackend): boolean {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const seed = tf
      .randomUniform<tf.Rank.R2>([SIZE, SIZE], -1, 1, 'float32', repeat + 1)
      .div<tf.Tensor2D>(SIZE);
    const right = tf.tidy(() => {
      const found = followed(backend, queue(seed));
      const input = queue(seed);
      const data = input.dataSync(); // waits
      const expected = sumProductsPlainly(channels(tf.tensor2d(data, [SIZE, SIZE])));
      const difference = found.sub(expected).abs().max().dataSync()[0] ?? NaN;
      return difference <= 1e-5 * (expected.abs().max().dataSync()[0] ?? NaN);
    });
    seed.dispose();
    if (!right) return false;
  }
  return true;
}

function queue(seed: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    let product = seed;
    for (let i = 0; i < 30; i++) product = tf.matMul(product, seed).add<tf.Tensor2D>(seed);
    return product;
  });
}

function followed(backend: TensorFlowBackend, input: tf.Tensor2D): tf.Tensor {
  const sums = sumProductsNatively(channels(input), backend);
  input.dispose();
  tf.dispose(Array.from({ length: 4 }, () => tf.fill([SIZE, SIZE], NaN)));
  return sums.add(0);
}

const channels = (input: tf.Tensor2D) => ({
  outputGradients: input.expandDims(0),
  values: input.expandDims(0),
  center: null,
});
