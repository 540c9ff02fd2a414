/**
 * Per-example gradients of `tf.layers.batchNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. While training, an example also enters the statistics by which the others
 * are normalised: what belongs to an example is the gradient of the batch's loss through its own outputs.
 */
import tf = require('@tensorflow/tfjs');
import { ChannelFactors } from './channel-factors';
import { vectorMatrix } from './gradient-matrix';
import type { Layer, LayerGradient } from './layer-gradient';
import { variablesOf, type Weight } from './weight';

/** A weight that the layer keeps up to date itself. */
interface MovingAverage {
  read(): tf.Tensor;
  write(value: tf.Tensor): unknown;
}

interface BatchNormalizationLayer extends Layer {
  readonly gamma: Weight;
  readonly beta: Weight;
  readonly movingMean: MovingAverage;
  readonly movingVariance: MovingAverage;
  readonly axis: number;
  readonly momentum: number;
  readonly epsilon: number;
}

export const batchNormalizationGradient: LayerGradient<BatchNormalizationLayer> = {
  className: 'BatchNormalization',

  parts: ({ gamma, beta }, includeBias) => [
    { name: '', weights: variablesOf(gamma, includeBias ? beta : null), asMatrix: vectorMatrix },
  ],

  forward(context, tap) {
    const { layer, call, inputs, kwargs, includeBias } = context;
    const x = inputs[0] as tf.Tensor;
    const channels = layer.axis >= 0 ? layer.axis : x.rank + layer.axis;
    const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== channels);
    const { output, mean, variance } = kwargs.training
      ? normalizeByBatch(layer, x, others)
      : {
          output: call(layer, inputs, kwargs) as tf.Tensor,
          mean: layer.movingMean.read(),
          variance: layer.movingVariance.read(),
        };
    return tap(output, [x, mean, variance], ([x, mean, variance], outputGradient) => {
      const last = (tensor: tf.Tensor) => channelsLast(tensor, channels);
      const factors = new ChannelFactors({
        outputGradients: last(outputGradient),
        values: last(x as tf.Tensor),
        center: mean as tf.Tensor,
        variance: variance as tf.Tensor,
        epsilon: layer.epsilon,
        scale: Boolean(layer.gamma),
        shift: Boolean(layer.beta) && includeBias,
      });
      return [factors];
    });
  },
};

interface NormalizedBatch {
  readonly output: tf.Tensor;
  /** [C], as is `variance`. */
  readonly mean: tf.Tensor;
  readonly variance: tf.Tensor;
}

/** What tfjs's layer does in training, moving averages included, but that the batch's moments are not lost. */
function normalizeByBatch(layer: BatchNormalizationLayer, x: tf.Tensor, others: number[]): NormalizedBatch {
  const { mean, variance } = tf.moments(x, others);
  const channels = x.shape.findIndex((_, axis) => !others.includes(axis));
  const along = (vector: tf.Tensor) => (channels === x.rank - 1 ? vector : alongAxis(vector, x, channels));
  const weight = (held: Weight) => (held ? along(held.read()) : undefined);
  const output = tf.batchNorm(
    x as tf.Tensor4D,
    along(mean) as tf.Tensor1D,
    along(variance) as tf.Tensor1D,
    weight(layer.beta) as tf.Tensor1D,
    weight(layer.gamma) as tf.Tensor1D,
    layer.epsilon,
  );
  updateAverage(layer.movingMean, mean, layer.momentum);
  updateAverage(layer.movingVariance, variance, layer.momentum);
  return { output, mean, variance };
}

function updateAverage(average: MovingAverage, value: tf.Tensor, momentum: number): void {
  tf.tidy(() => {
    const before = average.read();
    average.write(before.sub(before.sub(value).mul(1 - momentum)));
  });
}

/** [C] as [1, ..., C, ..., 1], to broadcast along `axis` of x. */
function alongAxis(vector: tf.Tensor, x: tf.Tensor, axis: number): tf.Tensor {
  return vector.reshape(x.shape.map((size, i) => (i === axis ? size : 1)));
}

/** The axis `channels` moved to the end. */
function channelsLast(x: tf.Tensor, channels: number): tf.Tensor {
  if (channels === x.rank - 1) return x;
  const others = x.shape.map((_, axis) => axis).filter((axis) => axis !== channels);
  return x.transpose([...others, channels]);
}
