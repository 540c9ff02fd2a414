/**
 * Puts taps on layers while a function runs. This and `example-ids.ts` are the only files that change objects
 * of tfjs, and both put them back.
 */
import * as tf from '@tensorflow/tfjs';
import { UntappableLayerError } from '../errors';
import type { LayerCall, Tap } from '../layers/layer-gradient';
import type { AttributedLayer } from './attributed-layers';

/** What reached a tap, once for each call of the layer. Both belong to the backward pass: clone what must stay. */
export interface TappedCall {
  readonly attributed: AttributedLayer;
  readonly saved: tf.Tensor[];
  /** The loss's gradient at the tapped output, [N, ...]. */
  readonly outputGradient: tf.Tensor;
}

export interface TapListener {
  /** A layer has run forward, with a tap on its output. */
  onForward(attributed: AttributedLayer): void;
  /** The backward pass has reached that tap. */
  onBackward(call: TappedCall): void;
}

/**
 * Runs `body` with a tap on every call of the given layers. A tap is an identity of which only the gradient
 * function does anything, so neither the forward nor the backward values change. Under `anchor`, a scalar, each
 * tapped output also depends on it, with gradient zero: differentiating by the anchor then runs the backward pass
 * as far as the first tap, and computes no weight's gradient.
 *
 * Each layer's `call` is replaced, not hooked: tfjs does not invoke call hooks in every layer class, and
 * sub-layers of custom layers are reached through `call` as well as `apply`.
 */
export function withTaps<T>(
  layers: readonly AttributedLayer[],
  listener: TapListener,
  body: () => T,
  anchor: tf.Scalar | null = null,
): T {
  const restore = layers.map((attributed) => replaceCall(attributed, listener, anchor));
  try {
    return body();
  } finally {
    for (const undo of restore.reverse()) undo();
  }
}

function replaceCall(
  attributed: AttributedLayer,
  listener: TapListener,
  anchor: tf.Scalar | null,
): () => void {
  const { layer, adapter, path } = attributed;
  const own = Object.getOwnPropertyDescriptor(layer, 'call');
  const { call } = layer as unknown as { call: LayerCall };
  const tapped: LayerCall = (inputs, kwargs) => {
    let taps = 0;
    const tap: Tap = (output, saved) => {
      taps++;
      listener.onForward(attributed);
      return identityWithTap(output, saved, anchor, (kept, outputGradient) => {
        listener.onBackward({ attributed, saved: kept, outputGradient });
      });
    };
    const input = Array.isArray(inputs) ? inputs[0] : inputs;
    if (input === undefined)
      throw new UntappableLayerError(path, layer.getClassName(), 'was called without an input');
    const output = adapter.forward(layer, call, input, kwargs, tap);
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
