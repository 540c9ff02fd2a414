/** Taps a layer between its linear map and its activation function. */
import type * as tf from '@tensorflow/tfjs';
import type { Layer, LayerContext } from './layer-gradient';

/** The part of tfjs's `Activation` that layers use. */
export interface Activation {
  apply(x: tf.Tensor, axis?: number): tf.Tensor;
  getClassName(): string;
}

export interface ActivatedLayer extends Layer {
  activation: Activation;
}

/** Activations that tfjs's layers pass into a fused operation, by their names there. */
const FUSED = new Set(['relu', 'elu']);

/**
 * Runs the layer with `tap` on the pre-activation output, by the same operations as without.
 *
 * The layer's own `call` finds an activation in it that taps first.
 * Where tfjs fuses the activation, `call` offers no place for a tap. But while gradients are recorded tfjs runs
 * those as separate operations too, which `linear` then spells out: the linear map with its bias.
 */
export function tapPreActivation<L extends ActivatedLayer>(
  context: LayerContext<L>,
  tap: (preActivation: tf.Tensor) => tf.Tensor,
  linear?: (layer: L, input: tf.Tensor) => tf.Tensor,
): tf.Tensor {
  const { layer, call, inputs, kwargs } = context;
  const { activation } = layer;
  const name = activation.getClassName();
  if (name === 'linear') return tap(call(layer, inputs, kwargs) as tf.Tensor);
  if (linear !== undefined && FUSED.has(name)) {
    return activation.apply(tap(linear(layer, inputs[0] as tf.Tensor)));
  }
  return tapActivationInput(context, tap) as tf.Tensor;
}

/** The same where `call` always applies the activation by itself, once. */
export function tapActivationInput<L extends ActivatedLayer>(
  { layer, call, inputs, kwargs }: LayerContext<L>,
  tap: (preActivation: tf.Tensor) => tf.Tensor,
): tf.Tensor | tf.Tensor[] {
  const { activation } = layer;
  const tapped: Activation = {
    apply: (x, axis) => activation.apply(tap(x), axis),
    getClassName: () => `tapped ${activation.getClassName()}`,
  };
  layer.activation = tapped;
  try {
    return call(layer, inputs, kwargs);
  } finally {
    layer.activation = activation;
  }
}
