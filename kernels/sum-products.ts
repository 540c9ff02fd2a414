/**
 * The per-example gradients of a scale and a shift by channel: the definition in plain tfjs operations, and the addon's
 * one operation, which goes over its inputs once.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { TensorFlowBackend } from './tensorflow-backend';
import { asPositions } from './project';

export interface ScaledChannels {
  /** D [N, ..., C]: every axis between the first and the last is a position. */
  readonly outputGradients: tf.Tensor;
  /** X [N, ..., C]. */
  readonly values: tf.Tensor;
  /** [C], subtracted from each value; null for zero. */
  readonly center: tf.Tensor | null;
}

/** What the gradients of a scale and of a shift by channel are made of, of which one may not be wanted. */
export interface ChannelGradients extends ScaledChannels {
  /** [C]: the scale's is divided by its root, `epsilon` added; null for one. */
  readonly variance: tf.Tensor | null;
  readonly epsilon: number;
  readonly scale: boolean;
  readonly shift: boolean;
}

/** The gradients of the scale, of the shift, or of one under the other: float32 [N, O, 1]. Runs inside the caller's `tf.tidy`. */
export function channelGradients(channels: ChannelGradients): tf.Tensor3D {
  const { variance, epsilon, scale, shift } = channels;
  const sums = normalized(sumProducts(channels), variance, epsilon);
  const wanted = scale && shift ? sums : sums.slice([0, scale ? 0 : 1, 0], [-1, 1, -1]);
  return wanted.reshape([sums.shape[0], -1, 1]);
}

function normalized(sums: tf.Tensor3D, variance: tf.Tensor | null, epsilon: number): tf.Tensor3D {
  if (variance === null) return sums;
  const deviation = variance.add(epsilon).rsqrt();
  return sums.mul(tf.stack([deviation, tf.onesLike(deviation)])); // [2, C]
}

/**
 * For every example sum_s d_ns (x_ns - center), and under it sum_s d_ns: float32 [N, 2, C]. Runs inside the caller's
 * `tf.tidy`.
 *
 * @throws Error when the shapes do not fit.
 */
export function sumProducts(channels: ScaledChannels): tf.Tensor3D {
  const backend = nativeBackend();
  return backend === null ? sumProductsPlainly(channels) : sumProductsNatively(channels, backend);
}

/** {@link sumProducts} in plain tfjs operations, its definition. */
export function sumProductsPlainly({ outputGradients, values, center }: ScaledChannels): tf.Tensor3D {
  const gradients = asPositions(outputGradients);
  const centered = center === null ? asPositions(values) : asPositions(values).sub(center);
  return tf.stack([gradients.mul(centered).sum(1), gradients.sum(1)], 1) as tf.Tensor3D;
}

/** {@link sumProducts} by the addon's operation. */
export function sumProductsNatively(
  { outputGradients, values, center }: ScaledChannels,
  backend: TensorFlowBackend,
): tf.Tensor3D {
  const inputs = [outputGradients, values, center ?? tf.zeros([0, 0])];
  return backend.executeSingleOutput('BergsonSumProducts', [], inputs) as tf.Tensor3D;
}
