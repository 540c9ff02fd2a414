/**
 * Per-example gradients of `tf.layers.layerNormalization`: of gamma, sum_s d_s x̂_s, and of beta, sum_s d_s, one
 * under the other as a vector [2 C, 1]. x̂ is the normalised input; gamma and beta span the normalised axes.
 */
import tf = require('@tensorflow/tfjs');
import { standardize } from '../standardize';
import { ChannelFactors, STANDARDIZED } from './channel-factors';
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
    const { axis: axes, epsilon } = layer;
    return tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([x], outputGradient) => {
      const byGroup = (x: tf.Tensor) => groupChannels(layer, x);
      const factors = new ChannelFactors({
        outputGradients: byGroup(outputGradient),
        values: byGroup(standardize(x as tf.Tensor, { axes, epsilon, centered: true })),
        ...STANDARDIZED,
        scale: Boolean(layer.gamma),
        shift: Boolean(layer.beta) && includeBias,
      });
      return [factors];
    });
  },
};

/** The normalised axes last, as one: [N, ..., C]. */
function groupChannels({ axis }: LayerNormalizationLayer, x: tf.Tensor): tf.Tensor {
  if (axis.length === 1 && axis[0] === x.rank - 1) return x;
  const positions = x.shape.map((_, i) => i).filter((i) => i > 0 && !axis.includes(i));
  const channels = axis.map((i) => x.shape[i] ?? 0).reduce((product, size) => product * size, 1);
  return x.transpose([0, ...positions, ...axis]).reshape([x.shape[0], -1, channels]);
}
