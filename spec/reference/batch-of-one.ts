/** The oracle: per-example gradients by running each example alone. Obviously correct, but slow. */
import * as tf from '@tensorflow/tfjs';
import type { AttributedLayer } from '../../lib/capture/attributed-layers';

/** The scalar loss of a batch, as a mean over its examples' own losses. */
export type BatchLoss = (model: tf.LayersModel, batch: tf.Tensor[]) => tf.Scalar;

/** tfjs's own gradient of each layer's weights for the whole batch, [O, I] as nested arrays, by path. */
export function batchGradients(
  model: tf.LayersModel,
  layers: readonly AttributedLayer[],
  loss: BatchLoss,
  batch: tf.Tensor[],
): Map<string, Float32Array> {
  const result = new Map<string, Float32Array>();
  tf.tidy(() => {
    const weights = layers.flatMap((layer) => [...layer.weights]);
    const { grads } = tf.variableGrads(() => loss(model, batch), weights);
    for (const { path, layer, adapter, weights: own } of layers) {
      const gradients = own.map((weight) => grads[weight.name] ?? tf.zerosLike(weight));
      result.set(path, adapter.asMatrix(layer, gradients).dataSync<'float32'>().slice());
    }
  });
  return result;
}

/** The same for every example alone: by path, one [O, I] an example. */
export function batchOfOneGradients(
  model: tf.LayersModel,
  layers: readonly AttributedLayer[],
  loss: BatchLoss,
  batch: tf.Tensor[],
): Map<string, Float32Array[]> {
  const examples = batch[0]?.shape[0] ?? 0;
  const result = new Map<string, Float32Array[]>(layers.map(({ path }) => [path, []]));
  for (let example = 0; example < examples; example++) {
    const alone = batch.map((tensor) => tensor.slice(example, 1));
    for (const [path, gradient] of batchGradients(model, layers, loss, alone))
      result.get(path)?.push(gradient);
    tf.dispose(alone);
  }
  return result;
}
