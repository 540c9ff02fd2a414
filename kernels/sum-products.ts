/**
 * The per-example gradients of a scale and a shift by channel: the definition in plain tfjs operations, and the addon's
 * one operation, which goes over its inputs once.
 */
import * as tf from '@tensorflow/tfjs';
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
