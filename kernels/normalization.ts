/**
 * What layer and root mean square normalization compute, and its gradient: the definitions in plain tfjs operations, and the
 * addon's operations for the last axis, which go over their inputs once.
 */
import tf = require('@tensorflow/tfjs');
import type { TensorFlowBackend } from './tensorflow-backend';

export interface Moments {
  readonly epsilon: number;
  /** Whether the mean is taken off first, and the variance so the mean square. */
  readonly centered: boolean;
}

export interface Normalized {
  /** The shape of x. */
  readonly normalized: tf.Tensor;
  /** 1 / sqrt(variance + epsilon): the shape of x with `axes` of size 1. */
  readonly inverse: tf.Tensor;
}

/** (x - mean) / sqrt(variance + epsilon), the moments being over `axes`. */
export function normalizePlainly(x: tf.Tensor, axes: number[], { epsilon, centered }: Moments): Normalized {
  const values = centered ? tf.sub(x, tf.mean(x, axes, true)) : x;
  const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(values), axes, true), epsilon));
  return { normalized: tf.mul(values, inverse), inverse };
}

/** The gradient of x: (dy - mean(dy) - y mean(dy y)) / sqrt(variance + epsilon), y the normalized x. */
export function normalizationGradientPlainly(
  dy: tf.Tensor,
  { normalized, inverse }: Normalized,
  axes: number[],
  centered: boolean,
): tf.Tensor {
  return tf.tidy(() => {
    const along = tf.mean(tf.mul(dy, normalized), axes, true);
    const values = centered ? tf.sub(dy, tf.mean(dy, axes, true)) : dy;
    return tf.mul(tf.sub(values, tf.mul(normalized, along)), inverse);
  });
}

/** In place of a scale or a shift where there is none. The caller disposes it. */
export const noWeight = (): tf.Tensor => tf.zeros([0, 0]);

/**
 * x [..., C] normalized over the last axis, times scale [C], plus shift [C], by the addon's operation; the last two rounded as
 * tfjs's own operations round.
 *
 * @throws Error when the shapes do not fit.
 */
export function normalizeNatively(
  x: tf.Tensor,
  scale: tf.Tensor,
  shift: tf.Tensor,
  moments: Moments,
  backend: TensorFlowBackend,
): tf.Tensor {
  return backend.executeSingleOutput('BergsonNormalization', attributes(moments, backend), [x, scale, shift]);
}

/** The gradient of x [..., C] in {@link normalizeNatively}, by the addon's operation. */
export function normalizationGradientNatively(
  x: tf.Tensor,
  scale: tf.Tensor,
  dy: tf.Tensor,
  moments: Moments,
  backend: TensorFlowBackend,
): tf.Tensor {
  const inputs = [x, scale, dy];
  return backend.executeSingleOutput('BergsonNormalizationGradient', attributes(moments, backend), inputs);
}

function attributes({ epsilon, centered }: Moments, { binding }: TensorFlowBackend) {
  return [
    { name: 'epsilon', type: binding.TF_ATTR_FLOAT, value: epsilon },
    { name: 'centered', type: binding.TF_ATTR_BOOL, value: centered },
  ];
}
