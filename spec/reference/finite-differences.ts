/** The other oracle: central differences of the loss, one weight element at a time. */
import * as tf from '@tensorflow/tfjs';
import type { AttributedPart } from '../../lib/capture/attributed-layers';

const STEP = 1e-2;

/** The gradient [O, I], flattened, of a scalar loss by one part's weights. */
export function differenceGradients(
  { asMatrix, weights }: Pick<AttributedPart, 'asMatrix' | 'weights'>,
  loss: () => tf.Scalar,
): Float32Array {
  const value = () => tf.tidy(() => loss().dataSync()[0] ?? NaN);
  const gradients = weights.map((weight) => {
    const original = weight.dataSync<'float32'>().slice();
    const gradient = original.map((_, i) => {
      const [above, below] = [STEP, -STEP].map((step) => {
        const moved = original.slice();
        moved[i] = (moved[i] ?? NaN) + step;
        assign(weight, moved);
        return value();
      });
      return ((above ?? NaN) - (below ?? NaN)) / (2 * STEP);
    });
    assign(weight, original);
    return gradient;
  });
  return tf.tidy(() => {
    const tensors = gradients.map((gradient, i) => tf.tensor(gradient, weights[i]?.shape));
    return asMatrix(tensors).dataSync<'float32'>().slice();
  });
}

function assign(weight: tf.Variable, values: Float32Array): void {
  tf.tidy(() => {
    weight.assign(tf.tensor(values, weight.shape));
  });
}
