/** Steps of the projection in plain tfjs operations. All run inside the caller's `tf.tidy`. */
import tf = require('@tensorflow/tfjs');
import type { ProjectionMatrix } from './projection-matrix';

/** [N, ..., C] -> [N, S, C]: every axis between the first and the last is a position. */
export function asPositions(x: tf.Tensor): tf.Tensor3D {
  if (x.rank === 3) return x as tf.Tensor3D;
  return x.reshape([x.shape[0], -1, x.shape[x.rank - 1] ?? 0]);
}

/** `x` times `multiplier`. */
export function multiply<T extends tf.Tensor>(x: T, multiplier: number): T {
  return multiplier === 1 ? x : x.mul<T>(multiplier);
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

/** L G_n Rᵀ of explicit gradients: [N, O, I] -> [N, p, q]. Vectors, [N, O, 1], have only a left side. Never the argument itself. */
export function projectGradient(
  gradient: tf.Tensor3D,
  left: ProjectionMatrix,
  right: ProjectionMatrix,
): tf.Tensor3D {
  const [n, outputs, inputs] = gradient.shape;
  if (inputs === 1 && !left.isIdentity) {
    return tf.matMul(gradient.reshape<tf.Tensor2D>([n, outputs]), left.transposed()).expandDims(2);
  }
  if (left.isIdentity && right.isIdentity) return gradient.clone();
  const halfway: tf.Tensor3D = right.isIdentity ? gradient : tf.matMul(gradient, right.transposed()); // [N, O, q]
  return left.isIdentity ? halfway : tf.matMul(left.transposed(), halfway, true, false);
}
