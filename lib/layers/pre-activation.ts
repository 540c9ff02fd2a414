/** Taps a layer between its linear map and its activation function. */
import type * as tf from '@tensorflow/tfjs';
import type { CallArguments, Layer, LayerCall } from './layer-gradient';

/** The part of tfjs's `Activation` that layers use. */
interface Activation {
  apply(x: tf.Tensor, axis?: number): tf.Tensor;
  getClassName(): string;
}

export interface ActivatedLayer extends Layer {
  readonly activation: Activation;
}

/**
 * Runs the layer's own `call` with `tap` on the pre-activation output. The call sees the layer through a view
 * whose activation taps first; its name keeps tfjs from fusing it, which it does not do for non-linear
 * activations while gradients are recorded either. The layer itself is not touched.
 */
export function tapPreActivation(
  layer: ActivatedLayer,
  call: LayerCall,
  inputs: tf.Tensor,
  kwargs: CallArguments,
  tap: (preActivation: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const { activation } = layer;
  if (activation.getClassName() === 'linear') return tap(call.call(layer, inputs, kwargs) as tf.Tensor);
  const tapped: Activation = {
    apply: (x, axis) => activation.apply(tap(x), axis),
    getClassName: () => `tapped ${activation.getClassName()}`,
  };
  const view = Object.create(layer, { activation: { value: tapped } }) as Layer;
  return call.call(view, inputs, kwargs) as tf.Tensor;
}
