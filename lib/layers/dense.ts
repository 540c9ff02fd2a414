/** Per-example gradients of `tf.layers.dense`: G_n = sum_s d_ns a_nsᵀ. */
import type * as tf from '@tensorflow/tfjs';
import { DenseActivations } from './activations';
import { asPositions, kernelMatrix } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import { tapPreActivation, type ActivatedLayer } from './pre-activation';
import { trainedVariables, type Weight } from './weight';

interface DenseLayer extends ActivatedLayer {
  readonly kernel: NonNullable<Weight>;
  readonly bias: Weight;
  readonly useBias: boolean;
}

export const denseGradient: LayerGradient<DenseLayer> = {
  className: 'Dense',

  weights: (layer, includeBias) => trainedVariables(layer, [layer.kernel, includeBias ? layer.bias : null]),

  asMatrix: (_layer, [kernel, bias]) => kernelMatrix(kernel as tf.Tensor, bias),

  forward: (layer, call, inputs, kwargs, tap) =>
    tapPreActivation(layer, call, inputs, kwargs, (output) => tap(output, [inputs])),

  factors: (layer, [input], outputGradient, includeBias) => ({
    activations: new DenseActivations(asPositions(input as tf.Tensor)),
    outputGradients: asPositions(outputGradient),
    bias: includeBias && layer.useBias,
  }),
};
