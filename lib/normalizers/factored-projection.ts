/**
 * Normalization by factored moments as a projection: L (diag(u) G diag(w)) Rᵀ is (L diag(u)) G (R diag(w))ᵀ, so that
 * the matrices are scaled, once, and gradients are projected as fast as without a normalizer.
 */
import tf = require('@tensorflow/tfjs');
import type { LayerProjection } from '../layers/factors';
import { factoredScales, type FactoredMoments } from './normalizer';

/**
 * What `projection` makes of gradients divided by the roots of V = r cᵀ / mean(r), in matrices of its own. Sides that
 * are kept whole have no matrix to be scaled: what they come to is multiplied afterwards. Runs inside the caller's
 * `tf.tidy`, and keeps what it returns.
 */
export function factoredProjection(
  { left, right }: LayerProjection,
  moments: FactoredMoments,
): LayerProjection {
  const { rows, columns } = factoredScales(moments);
  return {
    left: left.isIdentity ? left : left.scaled(rows),
    right: right.isIdentity ? right : right.scaled(columns),
    wholeRows: left.isIdentity ? tf.keep(rows.expandDims<tf.Tensor2D>(1)) : null,
    wholeColumns: right.isIdentity ? tf.keep(columns.expandDims<tf.Tensor2D>(0)) : null,
  };
}
