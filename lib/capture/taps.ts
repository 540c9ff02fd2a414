/**
 * Puts taps on layers while a function runs. This and `training.ts` are the only files that change objects
 * of tfjs, and both put them back.
 */
import * as tf from '@tensorflow/tfjs';
import { UntappableLayerError } from '../errors';
import type { CallArguments, FactorsOf, Layer, LayerCall, Tap } from '../layers/layer-gradient';
import type { AttributedLayer } from './attributed-layers';

/** What reached a tap. The tensors belong to the backward pass: clone what must stay. */
export interface TappedCall {
  readonly attributed: AttributedLayer;
  readonly saved: tf.Tensor[];
  /** The loss's gradient at the tapped output, [N, ...]. */
  readonly outputGradient: tf.Tensor;
  readonly factorsOf: FactorsOf;
}

/** `call` as a layer class has it. */
type Call = (this: Layer, inputs: tf.Tensor | tf.Tensor[], kwargs: CallArguments) => tf.Tensor | tf.Tensor[];

export interface TapListener {
  /** A layer runs forward and has put on a tap. */
  onForward(attributed: AttributedLayer): void;
  /** The backward pass has reached that tap. */
  onBackward(call: TappedCall): void;
}

/**
 * Puts a tap on every call of the given layers, until the function that is returned is called. A tap is an identity of
 * which only the gradient function does anything, so neither the forward nor the backward values change. Under
 * `anchor`, a scalar, each tapped output also depends on it, with gradient zero: differentiating by the anchor then
 * runs the backward pass as far as the first tap, and computes no weight's gradient.
 *
 * Each layer's `call` is replaced, not hooked: tfjs does not invoke call hooks in every layer class, and
 * sub-layers of custom layers are reached through `call` as well as `apply`.
 */
export function placeTaps(
  layers: readonly AttributedLayer[],
  listener: TapListener,
  anchor: tf.Scalar | null = null,
): () => void {
  const restore = layers.map((attributed) => replaceCall(attributed, listener, anchor));
  return () => {
    for (const undo of restore.reverse()) undo();
  };
}

/** How many reruns are going on, during which layers run as if they had no taps. */
let reruns = 0;

function replaceCall(
  attributed: AttributedLayer,
  listener: TapListener,
  anchor: tf.Scalar | null,
): () => void {
  const { layer, adapter, path, includeBias } = attributed;
  const own = Object.getOwnPropertyDescriptor(layer, 'call');
  const { call } = layer as unknown as { call: Call };
  const tapped: Call = (inputs, kwargs) => {
    if (reruns > 0) return call.call(layer, inputs, kwargs);
    let taps = 0;
    const tap: Tap = (output, saved, factorsOf) => {
      taps++;
      listener.onForward(attributed);
      return identityWithTap(output, saved, anchor, (kept, outputGradient) => {
        listener.onBackward({ attributed, saved: kept, outputGradient, factorsOf });
      });
    };
    const several = Array.isArray(inputs);
    const given = several ? inputs : [inputs];
    if (given.length === 0)
      throw new UntappableLayerError(path, layer.getClassName(), 'was called without an input');
    const original: LayerCall = (as, passed, kwargs) =>
      call.call(as, several ? passed : (passed[0] as tf.Tensor), kwargs);
    const rerun = (passed: tf.Tensor[], kwargs: CallArguments) => {
      reruns++;
      try {
        return original(layer, passed, kwargs);
      } finally {
        reruns--;
      }
    };
    const context = { layer, call: original, inputs: given, kwargs, includeBias, rerun };
    const output = adapter.forward(context, tap);
    if (taps === 0)
      throw new UntappableLayerError(path, layer.getClassName(), 'ran without reaching its tap');
    return output;
  };
  layer.call = tapped;
  return () => {
    if (own === undefined) delete (layer as Partial<typeof layer>).call;
    else Object.defineProperty(layer, 'call', own);
  };
}

function identityWithTap(
  output: tf.Tensor,
  saved: tf.Tensor[],
  anchor: tf.Scalar | null,
  onGradient: (saved: tf.Tensor[], outputGradient: tf.Tensor) => void,
): tf.Tensor {
  const inputs = anchor === null ? [output] : [output, anchor];
  const identity = tf.customGrad((...args) => {
    const save = args[inputs.length] as unknown as (tensors: tf.Tensor[]) => void;
    save(saved);
    const gradFunc = (dy: tf.Tensor | tf.Tensor[], kept: tf.Tensor[]) => {
      const outputGradient = dy as tf.Tensor;
      onGradient(kept, outputGradient);
      return anchor === null ? [outputGradient] : [outputGradient, tf.zerosLike(anchor)];
    };
    return { value: output.clone(), gradFunc };
  });
  return identity(...inputs);
}
