/**
 * Per-example gradients of `tf.layers.layerNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. x̂ is the normalised input; gamma and beta span the normalised axes.
 */
import * as tf from '@tensorflow/tfjs';
import { sumProducts } from '../../kernels/sum-products';
import { STANDARDIZED } from '../host-fixes/layer-normalization';
import { standardize } from '../standardize';
import { scaleAndShift, vectorMatrix } from './gradient-matrix';
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
      const byGroup = (x: tf.Tensor) => groupChannels(layer, x);
      const sums = sumProducts({
        outputGradients: byGroup(outputGradient),
        values: byGroup(standardized as tf.Tensor),
        center: null,
      });
      return [scaleAndShift(sums, Boolean(layer.gamma), Boolean(layer.beta) && includeBias)];
    });
    standardized.dispose();
    return tapped;
  },
};

/** The normalised axes last, as one: [N, ..., C]. */
function groupChannels({ axis }: LayerNormalizationLayer, x: tf.Tensor): tf.Tensor {
  if (axis.length === 1 && axis[0] === x.rank - 1) return x;
  const positions = x.shape.map((_, i) => i).filter((i) => i > 0 && !axis.includes(i));
  const channels = axis.map((i) => x.shape[i] ?? 0).reduce((product, size) => product * size, 1);
  return x.transpose([0, ...positions, ...axis]).reshape([x.shape[0], -1, channels]);
}
