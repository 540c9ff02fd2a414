/**
 * The method on one page: what a tap saw becomes an example's part of a row.
 *
 *     saved, dy -> factors A [N, S, I], D [N, S, O] -> G ∘ scale -> L (G ∘ scale) Rᵀ  [N, p, q]
 */
import * as tf from '@tensorflow/tfjs';
import type { TappedCall } from './capture/taps';
import { projectGradients, projectScaledGradients, type LayerProjection } from './layers/factors';
import { gradientScale, type Normalizer } from './normalizers/normalizer';

/**
 * The projected per-example gradients of one call of one layer, float32 [N, p, q]: for each example the gradient
 * of the loss that was differentiated, normalised first and then projected. The caller disposes.
 */
export function exampleGradients(
  { attributed, saved, outputGradient }: TappedCall,
  projection: LayerProjection,
  normalizer: Normalizer | null,
  includeBias: boolean,
): tf.Tensor3D {
  return tf.tidy(() => {
    const factors = attributed.adapter.factors(attributed.layer, saved, outputGradient, includeBias);
    if (normalizer === null) return projectGradients(factors, projection);
    return projectScaledGradients(factors, gradientScale(normalizer, attributed), projection);
  });
}
