/** What layer normalisation computes before its weights apply, forward and backward in 14 passes over the data. */
import * as tf from '@tensorflow/tfjs';

/**
 * (x - mean) / sqrt(variance + epsilon), the moments being over `axes`.
 *
 * Right to second order: while an outer gradient is being recorded, the backward pass is computed from x again
 * rather than from what the forward pass left.
 *
 * @param x float32, any shape.
 * @param axes The axes the moments are over, each in [0, rank).
 * @returns float32, the shape of x; the caller disposes it.
 * @see Ba, Kiros and Hinton, Layer Normalization, arXiv 1607.06450, equation 4.
 */
export function standardize(x: tf.Tensor, axes: number[], epsilon: number): tf.Tensor {
  return tf.customGrad((input, save) => {
    const values = input as tf.Tensor;
    const { normalized, inverse } = normalize(values, axes, epsilon);
    (save as tf.GradSaveFunc)([values, normalized, inverse]);
    return {
      value: normalized,
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        const [x, normalized, inverse] = saved as [tf.Tensor, tf.Tensor, tf.Tensor];
        const recorded = tf.engine().isTapeOn();
        return backward(dy, recorded ? normalize(x, axes, epsilon) : { normalized, inverse }, axes);
      },
    };
  })(x);
}

interface Normalized {
  /** The shape of x. */
  readonly normalized: tf.Tensor;
  /** 1 / sqrt(variance + epsilon): the shape of x with `axes` of size 1. */
  readonly inverse: tf.Tensor;
}

function normalize(x: tf.Tensor, axes: number[], epsilon: number): Normalized {
  const centered = tf.sub(x, tf.mean(x, axes, true));
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centered), axes, true), epsilon));
  return { normalized: tf.mul(centered, inverse), inverse };
}

/** Gradient of x: (dy - mean(dy) - y mean(dy y)) / sqrt(variance + epsilon), y the normalised x. */
function backward(dy: tf.Tensor, { normalized, inverse }: Normalized, axes: number[]): tf.Tensor {
  return tf.tidy(() => {
    const alongOutput = tf.mean(tf.mul(dy, normalized), axes, true);
    const centered = tf.sub(dy, tf.mean(dy, axes, true));
    return tf.mul(tf.sub(centered, tf.mul(normalized, alongOutput)), inverse);
  });
}
