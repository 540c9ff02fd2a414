/**
 * Per-example gradients of `tf.layers.layerNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. x̂ is the normalised input; gamma and beta span the normalised axes.
 */
import * as tf from '@tensorflow/tfjs';
import { DenseActivations } from './activations';
import type { Layer, LayerGradient } from './layer-gradient';
import { trainedVariables, type Weight } from './weight';

interface LayerNormalizationLayer extends Layer {
  readonly gamma: Weight;
  readonly beta: Weight;
  readonly scale: boolean;
  readonly center: boolean;
  /** The normalised axes, made absolute by `build`. */
  readonly axis: number[];
  readonly epsilon: number;
}

export const layerNormalizationGradient: LayerGradient<LayerNormalizationLayer> = {
  className: 'LayerNormalization',

  weights: (layer, includeBias) => trainedVariables(layer, [layer.gamma, includeBias ? layer.beta : null]),

  asMatrix: (_layer, vectors) =>
    tf.concat2d(
      vectors.map((vector) => vector.reshape([-1, 1])),
      0,
    ),

  forward: (layer, call, inputs, kwargs, tap) => tap(call.call(layer, inputs, kwargs) as tf.Tensor, [inputs]),

  factors(layer, [input], outputGradient, includeBias) {
    const gradients: tf.Tensor2D[] = [];
    if (layer.scale) {
      gradients.push(sumOverPositions(layer, outputGradient.mul(normalize(layer, input as tf.Tensor))));
    }
    if (layer.center && includeBias) gradients.push(sumOverPositions(layer, outputGradient));
    const vector = tf.concat2d(gradients, 1).expandDims<tf.Tensor3D>(1); // [N, 1, 2 C]
    const batchSize = vector.shape[0];
    return {
      activations: new DenseActivations(tf.ones([batchSize, 1, 1])),
      outputGradients: vector,
      bias: false,
    };
  },
};

function normalize({ axis, epsilon }: LayerNormalizationLayer, input: tf.Tensor): tf.Tensor {
  const { mean, variance } = tf.moments(input, axis, true);
  return input.sub(mean).mul(variance.add(epsilon).rsqrt());
}

/** Sums every axis but the batch's and the normalised ones: [N, ..., C] -> [N, C]. */
function sumOverPositions({ axis }: LayerNormalizationLayer, x: tf.Tensor): tf.Tensor2D {
  const positions = x.shape.map((_, i) => i).filter((i) => i > 0 && !axis.includes(i));
  return x.sum(positions).reshape([x.shape[0], -1]);
}
