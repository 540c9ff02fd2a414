/** Per-example gradients of `tf.layers.embedding`: a linear map of one-hot rows, transposed to [outputDim, inputDim]. */
import type * as tf from '@tensorflow/tfjs';
import { OneHotActivations } from './activations';
import { kernelLayout } from './gradient-matrix';
import type { Layer, LayerGradient } from './layer-gradient';
import { variablesOf, type Weight } from './weight';

interface EmbeddingLayer extends Layer {
  readonly embeddings: NonNullable<Weight>;
  readonly inputDim: number;
}

export const embeddingGradient: LayerGradient<EmbeddingLayer> = {
  className: 'Embedding',

  parts: ({ embeddings }) => [
    {
      name: '',
      weights: variablesOf(embeddings),
      ...kernelLayout,
    },
  ],

  forward: ({ layer, call, inputs, kwargs }, tap) =>
    tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([ids], outputGradient) => [
      {
        activations: new OneHotActivations(positions(ids as tf.Tensor), layer.inputDim),
        outputGradients: outputGradient,
      },
    ]),
};

/** Ids of any shape and numeric dtype, [N, ...] -> int32 [N, S]. */
function positions(ids: tf.Tensor): tf.Tensor2D {
  return ids.reshape<tf.Tensor2D>([ids.shape[0], -1]).toInt();
}
