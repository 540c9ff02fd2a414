/** Per-example gradients of `tf.layers.dense`: G_n = sum_s d_ns a_nsᵀ. */
import * as tf from '@tensorflow/tfjs';
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

/** The layer without its activation: [N, ..., I] -> [N, ..., O]. */
function linearMap({ kernel, bias }: DenseLayer, inputs: tf.Tensor): tf.Tensor {
  const weights = kernel.read() as unknown as tf.Tensor2D;
  const rows =
    inputs.rank === 2 ? (inputs as tf.Tensor2D) : inputs.reshape<tf.Tensor2D>([-1, weights.shape[0]]);
  const product: tf.Tensor = tf.matMul(rows, weights);
  const output = bias ? product.add(bias.read()) : product;
  return inputs.rank === 2 ? output : output.reshape([...inputs.shape.slice(0, -1), weights.shape[1]]);
}

export const denseGradient: LayerGradient<DenseLayer> = {
  className: 'Dense',

  weights: (layer, includeBias) => trainedVariables(layer, [layer.kernel, includeBias ? layer.bias : null]),

  asMatrix: (_layer, [kernel, bias]) => kernelMatrix(kernel as tf.Tensor, bias),

  forward: (layer, call, inputs, kwargs, tap) =>
    tapPreActivation(
      layer,
      call,
      inputs,
      kwargs,
      (output) => tap(output, [inputs]),
      () => linearMap(layer, inputs),
    ),

  factors: (layer, [input], outputGradient, includeBias) => ({
    activations: new DenseActivations(asPositions(input as tf.Tensor)),
    outputGradients: asPositions(outputGradient),
    bias: includeBias && layer.useBias,
  }),
};
