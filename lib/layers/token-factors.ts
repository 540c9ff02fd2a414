/** Gradients of single tokens: what an example's gradient is made of, taken apart by position. */
import { TokenGradientError } from '../errors';
import type { AttributedPart } from '../capture/attributed-layers';
import type { Factors } from './factors';

/**
 * The factors of N S examples of one position each, from those of N examples of S positions: their gradients are the
 * terms d_ns a_nsᵀ, which sum to G_n over s. Runs inside the caller's `tf.tidy`.
 * @throws TokenGradientError if the layer's gradient is no sum over tokens, or is no longer known as one
 */
export function tokenFactors({ path }: AttributedPart, factors: readonly Factors[]): readonly Factors[] {
  const [only, ...others] = factors;
  if (only === undefined) return [];
  if (others.length > 0) throw new TokenGradientError(path, 'runs several times for an example');
  if ('gradient' in only) throw new TokenGradientError(path, 'has a gradient that was summed over positions');
  const { activations, outputGradients } = only;
  const separate = activations.separatePositions?.();
  if (separate === undefined) throw new TokenGradientError(path, 'has patches of its input for positions');
  const outputs = outputGradients.shape.at(-1) ?? 0;
  return [{ activations: separate, outputGradients: outputGradients.reshape([-1, 1, outputs]) }];
}
