/**
 * The projection's tensor operations in plain tfjs ops: the definition that native kernels must agree with.
 */
import * as tf from '@tensorflow/tfjs';
import type { ProjectionMatrix } from './projection-matrix';

/** x Rᵀ over the last axis: [N, S, columns] -> [N, S, rows]. */
export function projectFeatures(x: tf.Tensor3D, matrix: ProjectionMatrix): tf.Tensor3D {
  return matrix.isIdentity ? x : timesMatrix(x, matrix.transposed());
}

/** x M over the last axis: [N, S, I] by [I, q] -> [N, S, q]. */
export function timesMatrix(x: tf.Tensor3D, matrix: tf.Tensor2D): tf.Tensor3D {
  const [n, s, features] = x.shape;
  return tf.matMul(x.reshape([n * s, features]), matrix).reshape([n, s, matrix.shape[1]]);
}

/** Sum over positions of outer products: [N, S, p] and [N, S, q] -> [N, p, q]. */
export function contractPositions(left: tf.Tensor3D, right: tf.Tensor3D): tf.Tensor3D {
  return tf.matMul(left, right, true, false);
}

/** L G_n Rᵀ for explicit gradients: [N, O, I] -> [N, p, q]. */
export function projectGradient(
  gradient: tf.Tensor3D,
  left: ProjectionMatrix,
  right: ProjectionMatrix,
): tf.Tensor3D {
  return tf.tidy(() => {
    const halfway = projectFeatures(gradient, right); // [N, O, q]
    if (left.isIdentity) return halfway;
    return tf.matMul(left.transposed().expandDims<tf.Tensor3D>(0), halfway, true, false); // [1, O, p]ᵀ [N, O, q]
  });
}
