/**
 * Per-example gradients of `tf.layers.layerNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. x̂ is the normalised input; gamma and beta span the normalised axes.
 */
import * as tf from '@tensorflow/tfjs';
import { STANDARDIZED } from '../host-fixes/layer-normalization';
import { standardize } from '../standardize';
import { vectorMatrix } from './gradient-matrix';
import type { Layer, LayerGradient } from './layer-gradient';
import { variablesOf, type Weight } from './weight';

interface LayerNormalizationLayer extends Layer {
  readonly gamma: Weight;
  readonly beta: Weight;
  /** The normalised axes, made absolute by `build`. */
  readonly axis: number[];
  readonly epsilon: number;
}

export const layerNormalizationGradient: LayerGradient<LayerNormalizationLayer> = {
  className: 'LayerNormalization',

  parts: ({ gamma, beta }, includeBias) => [
    { name: '', weights: variablesOf(gamma, includeBias ? beta : null), asMatrix: vectorMatrix },
  ],

  forward({ layer, call, inputs, kwargs, includeBias }, tap) {
    let standardized: tf.Tensor | undefined;
    const reported = {
      ...kwargs,
      [STANDARDIZED]: (x: tf.Tensor) => {
        standardized = tf.keep(x.clone());
      },
    };
    const output = call(layer, inputs, reported) as tf.Tensor;
    standardized ??= standardize(inputs[0] as tf.Tensor, layer.axis, layer.epsilon);
    const tapped = tap(output, [standardized], ([standardized], outputGradient) => {
      const gradients: tf.Tensor2D[] = [];
      if (layer.gamma) gradients.push(sumOverPositions(layer, outputGradient.mul(standardized as tf.Tensor)));
      if (layer.beta && includeBias) gradients.push(sumOverPositions(layer, outputGradient));
      return [{ gradient: tf.concat2d(gradients, 1).expandDims<tf.Tensor3D>(2) }]; // [N, 2 C, 1]
    });
    standardized.dispose();
    return tapped;
  },
};

/** Sums every axis but the batch's and the normalised ones: [N, ..., C] -> [N, C]. */
function sumOverPositions({ axis }: LayerNormalizationLayer, x: tf.Tensor): tf.Tensor2D {
  const positions = x.shape.map((_, i) => i).filter((i) => i > 0 && !axis.includes(i));
  const sum = positions.length === 0 ? x : x.sum(positions);
  return sum.rank === 2 ? (sum as tf.Tensor2D) : sum.reshape([x.shape[0], -1]);
}
