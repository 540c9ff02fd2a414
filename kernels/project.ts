/**
 * The projection's tensor operations in plain tfjs ops: the definition that native kernels must agree with.
 */
import * as tf from '@tensorflow/tfjs';
import type { ProjectionMatrix } from './projection-matrix';

/** x Rᵀ over the last axis: [N, S, columns] -> [N, S, rows]. */
export function projectFeatures(x: tf.Tensor3D, matrix: ProjectionMatrix): tf.Tensor3D {
  return matrix.isIdentity ? x : tf.matMul(x, matrix.transposed());
}

/**
 * Sum over positions of outer products: [N, S, p] and [N, S, q] -> [N, p, q]. With one position an elementwise
 * product, which TensorFlow computes faster than N products of a column and a row.
 */
export function contractPositions(left: tf.Tensor3D, right: tf.Tensor3D): tf.Tensor3D {
  const [n, positions, p] = left.shape;
  if (positions === 1) return left.reshape([n, p, 1]).mul<tf.Tensor3D>(right);
  return tf.matMul(left, right, true, false);
}

/** L H_n over the first axis of a matrix: [N, columns, q] -> [N, rows, q]. */
export function projectOutputs(halfway: tf.Tensor3D, left: ProjectionMatrix): tf.Tensor3D {
  if (left.isIdentity) return halfway;
  return tf.matMul(left.transposed(), halfway, true, false);
}
