/**
 * Per-example gradients of `tf.layers.layerNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. x̂ is the normalised input; gamma and beta span the normalised axes.
 */
import * as tf from '@tensorflow/tfjs';
import { STANDARDIZED } from '../host-fixes/layer-normalization';
import { standardize } from '../standardize';
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

  forward(layer, call, inputs, kwargs, tap) {
    let standardized: tf.Tensor | undefined;
    const reported = {
      ...kwargs,
      [STANDARDIZED]: (x: tf.Tensor) => {
        standardized = tf.keep(x.clone());
      },
    };
    const output = call.call(layer, inputs, reported) as tf.Tensor;
    const tapped = tap(output, [standardized ?? standardize(inputs, layer.axis, layer.epsilon)]);
    standardized?.dispose();
    return tapped;
  },

  factors(layer, [standardized], outputGradient, includeBias) {
    const gradients: tf.Tensor2D[] = [];
    if (layer.scale) gradients.push(sumOverPositions(layer, outputGradient.mul(standardized as tf.Tensor)));
    if (layer.center && includeBias) gradients.push(sumOverPositions(layer, outputGradient));
    const vector = gradients.length === 1 ? (gradients[0] as tf.Tensor2D) : tf.concat2d(gradients, 1); // [N, 2 C]
    return { activations: null, outputGradients: vector.expandDims<tf.Tensor3D>(1), bias: false };
  },
};

/** Sums every axis but the batch's and the normalised ones: [N, ..., C] -> [N, C]. */
function sumOverPositions({ axis }: LayerNormalizationLayer, x: tf.Tensor): tf.Tensor2D {
  const positions = x.shape.map((_, i) => i).filter((i) => i > 0 && !axis.includes(i));
  const sum = positions.length === 0 ? x : x.sum(positions);
  return sum.rank === 2 ? (sum as tf.Tensor2D) : sum.reshape([x.shape[0], -1]);
}
