/**
 * LayerNormalization with its moments and weights broadcast.
 *
 * tfjs's layer tiles mean, variance, gamma and beta to the full size of its input and calls batch normalisation,
 * because the gradient of that does not broadcast: some 50 passes over the data forward and backward, where
 * 20 do. This one is a method of the layer class and no registered gradient can reach it, so it is replaced
 * on the prototype.
 */
import * as tf from '@tensorflow/tfjs';
import { standardize } from '../standardize';

/** Keyword argument of the replaced `call`: a function to be given the standardised input as it is computed. */
export const STANDARDIZED = 'bergson:standardized';

type Call = (
  this: LayerNormalization,
  inputs: tf.Tensor | tf.Tensor[],
  kwargs?: Record<string, unknown>,
) => tf.Tensor | tf.Tensor[];

/** The fields of tfjs's layer this file reads; they are private in its types. */
interface LayerNormalization {
  readonly axis: number[];
  readonly epsilon: number;
  readonly gamma: tf.LayerVariable | null;
  readonly beta: tf.LayerVariable | null;
}

/** Replaces `call` for every LayerNormalization layer, existing ones included. Returns the undo. */
export function replaceLayerNormalization(): () => void {
  const registered = tf.serialization.SerializationMap.getMap().classNameMap.LayerNormalization;
  if (registered === undefined) throw new Error('internal: tfjs has no LayerNormalization layer');
  const prototype = registered[0].prototype as { call: Call };
  const original = prototype.call;
  const replacement: Call = function (inputs, kwargs) {
    const x = Array.isArray(inputs) ? inputs[0] : inputs;
    // tfjs's own error messages stay the ones users see.
    if (x?.dtype !== 'float32') return original.call(this, inputs, kwargs);
    const report = kwargs?.[STANDARDIZED] as ((standardized: tf.Tensor) => void) | undefined;
    return tf.tidy(() => layerNormalization(x, this, report));
  };
  prototype.call = replacement;
  return () => {
    if (prototype.call === replacement) prototype.call = original;
  };
}

/** x float32 [...] to the same shape. `report` is given the standardised x, which the caller's tidy disposes. */
function layerNormalization(
  x: tf.Tensor,
  { axis, epsilon, gamma, beta }: LayerNormalization,
  report?: (standardized: tf.Tensor) => void,
): tf.Tensor {
  const weightShape = x.shape.map((size, i) => (axis.includes(i) ? size : 1));
  let y = standardize(x, axis, epsilon);
  report?.(y);
  if (gamma !== null) y = tf.mul(y, tf.reshape(gamma.read(), weightShape));
  if (beta !== null) y = tf.add(y, tf.reshape(beta.read(), weightShape));
  return y;
}
