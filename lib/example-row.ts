/**
 * The method on one page: what the taps of a layer saw becomes an example's part of a row.
 *
 *     saved, dy -> factors A [N, S, I], D [N, S, O] -> G ∘ scale -> L (G ∘ scale) Rᵀ  [N, p, q]
 */
import tf = require('@tensorflow/tfjs');
import { awaitBackground } from '../kernels/background';
import type { AttributedPart } from './capture/attributed-layers';
import {
  joinFactors,
  projectGradients,
  projectNormalizedGradients,
  type Factors,
  type LayerProjection,
} from './layers/factors';
import { tokenFactors } from './layers/token-factors';
import { elementScale, type ElementNormalizer } from './normalizers/normalizer';

/** What has a gradient of its own. */
export type Attribute = 'examples' | 'tokens';

/**
 * The projected per-example gradients of one part of a layer, float32 [N, p, q], from the factors of all its calls:
 * for each example the gradient of the loss that was differentiated, normalised, projected, and multiplied by
 * `multiplier`; or, of N examples of S tokens, for each token, [N S, p, q]. Factored moments are in the projection already
 * (`normalizers/factored-projection.ts`). Called in the background, without a normalizer, their numbers are there once that is
 * awaited. The caller disposes.
 */
export function exampleGradients(
  factors: readonly Factors[],
  part: AttributedPart,
  projection: LayerProjection,
  normalizer: ElementNormalizer | null,
  multiplier: number,
  attribute: Attribute = 'examples',
): tf.Tensor3D {
  return tf.tidy(() => {
    const scale = normalizer === null ? null : elementScale(normalizer, part);
    const own = attribute === 'tokens' ? tokenFactors(part, factors) : joinFactors(factors);
    const gradients = own.map((each) =>
      scale === null
        ? projectGradients(each, projection, multiplier)
        : projectNormalizedGradients(each, scale, projection, multiplier),
    );
    const [first, ...others] = gradients;
    if (first !== undefined && others.length === 0) return first;
    awaitBackground();
    return tf.addN(gradients);
  });
}
