/** Per-example gradients of `tf.layers.prelu`: of alpha, the sum of d min(x, 0) over the axes that share it. */
import tf = require('@tensorflow/tfjs');
import { vectorMatrix } from './gradient-matrix';
import type { Layer, LayerGradient } from './layer-gradient';
import { variablesOf, type Weight } from './weight';

interface PReluLayer extends Layer {
  readonly alpha: NonNullable<Weight>;
  /** Axes along which one alpha serves all, the batch's being 0. */
  readonly sharedAxes: number[] | null;
}

export const preluGradient: LayerGradient<PReluLayer> = {
  className: 'PReLU',

  parts: ({ alpha }) => [{ name: '', weights: variablesOf(alpha), asMatrix: vectorMatrix }],

  forward: ({ layer, call, inputs, kwargs }, tap) =>
    tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([input], outputGradient) => {
      const product = outputGradient.mul(tf.minimum(input as tf.Tensor, 0));
      const shared = layer.sharedAxes ?? [];
      const sum = shared.length === 0 ? product : product.sum(shared);
      return [{ gradient: sum.reshape<tf.Tensor3D>([sum.shape[0], -1, 1]) }]; // [N, C, 1]
    }),
};
