/**
 * LayerNormalization with its moments and weights broadcast.
 *
 * tfjs's layer tiles mean, variance, gamma and beta to the full size of its input and calls batch normalisation,
 * because the gradient of that does not broadcast: some 50 passes over the data forward and backward, where
 * 20 do, or two native operations. This one is a method of the layer class and no registered gradient can reach it, so it is replaced
 * on the prototype.
 */
import tf = require('@tensorflow/tfjs');
import { standardize } from '../standardize';

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
    return layerNormalization(x, this);
  };
  prototype.call = replacement;
  return () => {
    if (prototype.call === replacement) prototype.call = original;
  };
}

/** x float32 [...] to the same shape. */
function layerNormalization(
  x: tf.Tensor,
  { axis: axes, epsilon, gamma, beta }: LayerNormalization,
): tf.Tensor {
  const weights = { scale: gamma?.read() ?? null, shift: beta?.read() ?? null };
  return standardize(x, { axes, epsilon, centered: true, ...weights });
}
