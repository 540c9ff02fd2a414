/** Per-example gradients of `tf.layers.dense`: G_n = sum_s d_ns a_nsᵀ. */
import tf = require('@tensorflow/tfjs');
import { DenseActivations } from './activations';
import { kernelLayer, type KernelLayer } from './kernel-layer';

/** The layer without its activation: [N, ..., I] -> [N, ..., O]. */
function linear({ kernel, bias }: KernelLayer, inputs: tf.Tensor): tf.Tensor {
  const weights = kernel.read() as unknown as tf.Tensor2D;
  const rows =
    inputs.rank === 2 ? (inputs as tf.Tensor2D) : inputs.reshape<tf.Tensor2D>([-1, weights.shape[0]]);
  const product: tf.Tensor = tf.matMul(rows, weights);
  const output = bias ? product.add(bias.read()) : product;
  return inputs.rank === 2 ? output : output.reshape([...inputs.shape.slice(0, -1), weights.shape[1]]);
}

export const denseGradient = kernelLayer<KernelLayer>('Dense', {
  factors: (_layer, input, outputGradient) => ({
    activations: new DenseActivations(input),
    outputGradients: outputGradient,
  }),
  linear,
});
