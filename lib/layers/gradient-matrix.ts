/** The layouts shared by layer adapters. All run inside the caller's `tf.tidy`. */
import tf = require('@tensorflow/tfjs');
import type { GradientPart } from './layer-gradient';

/** A kernel [..., O] of a map with I inputs, and its bias [O] if covered, as [O, I] or [O, I + 1]. */
function kernelMatrix(kernel: tf.Tensor, bias?: tf.Tensor): tf.Tensor2D {
  const matrix = kernel
    .reshape<tf.Tensor2D>([-1, kernel.shape[kernel.rank - 1] ?? 0])
    .transpose<tf.Tensor2D>();
  return bias === undefined ? matrix : tf.concat2d([matrix, bias.reshape([-1, 1])], 1);
}

/** The layouts of a part that covers a kernel and perhaps a bias. */
export const kernelLayout: Pick<GradientPart, 'asMatrix' | 'asKernel'> = {
  asMatrix: ([kernel, bias]) => kernelMatrix(kernel as tf.Tensor, bias),
  asKernel: ([kernel, bias]) => ({ kernel: kernel as tf.Tensor, bias: bias ?? null }),
};

/** Weights of any shape one under the other, as [O, 1]. */
export function vectorMatrix(weights: tf.Tensor[]): tf.Tensor2D {
  return tf.concat2d(
    weights.map((weight) => weight.reshape([-1, 1])),
    0,
  );
}
