/** The oracle: per-example gradients by running each example alone. Obviously correct, but slow. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../../lib/capture/attributed-layers';
import { relativeError } from '../support/closeness';

/** The scalar loss of a batch, as a mean over its examples' own losses. */
export type BatchLoss = (model: tf.LayersModel, batch: tf.Tensor[]) => tf.Scalar;

/** tfjs's own gradient of each part's weights for the whole batch, [O, I] as nested arrays, by path. */
export function batchGradients(
  model: tf.LayersModel,
  parts: readonly AttributedPart[],
  loss: BatchLoss,
  batch: tf.Tensor[],
): Map<string, Float32Array> {
  const result = new Map<string, Float32Array>();
  tf.tidy(() => {
    const weights = parts.flatMap((part) => [...part.weights]);
    const { grads } = tf.variableGrads(() => loss(model, batch), weights);
    for (const part of parts) {
      const gradients = part.weights.map((weight) => grads[weight.name] ?? tf.zerosLike(weight));
      result.set(part.path, part.asMatrix(gradients).dataSync<'float32'>().slice());
    }
  });
  return result;
}

/** The same for every example alone: by path, one [O, I] an example. */
export function batchOfOneGradients(
  model: tf.LayersModel,
  parts: readonly AttributedPart[],
  loss: BatchLoss,
  batch: tf.Tensor[],
): Map<string, Float32Array[]> {
  const examples = batch[0]?.shape[0] ?? 0;
  const result = new Map<string, Float32Array[]>(parts.map(({ path }) => [path, []]));
  for (let example = 0; example < examples; example++) {
    const alone = batch.map((tensor) => tensor.slice(example, 1));
    for (const [path, gradient] of batchGradients(model, parts, loss, alone))
      result.get(path)?.push(gradient);
    tf.dispose(alone);
  }
  return result;
}

/** The largest relative error of any example's gradient of any part, [N, O, I] by path; infinite where one is missing. */
export function largestError(
  found: ReadonlyMap<string, tf.Tensor>,
  expected: ReadonlyMap<string, Float32Array[]>,
): number {
  const errors = [...expected].flatMap(([path, examples]) => {
    const values = found.get(path)?.dataSync() ?? new Float32Array();
    return examples.map((gradient, example) => {
      const first = example * gradient.length;
      return relativeError(values.subarray(first, first + gradient.length), gradient);
    });
  });
  return errors.length === 0 ? Infinity : Math.max(...errors);
}
