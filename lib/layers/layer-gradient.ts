/** The interface a layer class implements to have per-example gradients, and the registry of those that do. */
import type * as tf from '@tensorflow/tfjs';
import type { Factors } from './factors';

export type Layer = tf.layers.Layer;
export type CallArguments = Record<string, unknown>;

/** A layer's own `call`. */
export type LayerCall = (
  this: Layer,
  inputs: tf.Tensor | tf.Tensor[],
  kwargs: CallArguments,
) => tf.Tensor | tf.Tensor[];

/**
 * Passes `output` through unchanged and, when the backward pass reaches it, hands `saved` and the loss's
 * gradient with respect to `output` to the collector.
 */
export type Tap = (output: tf.Tensor, saved: tf.Tensor[]) => tf.Tensor;

/**
 * How one layer class yields per-example gradients. The gradient of a layer is a matrix [O, I], outputs by
 * inputs, whatever the shape of the weight it belongs to; a bias is its last column.
 */
export interface LayerGradient<L extends Layer = Layer> {
  /** The layer class's registered name, as `layer.getClassName()` gives it. */
  readonly className: string;
  /** The weights the gradient covers, the bias last and only if `includeBias`. */
  weights(layer: L, includeBias: boolean): tf.Variable[];
  /** Lays tensors shaped like those weights out as the gradient is: [O, I]. Runs inside the caller's `tf.tidy`. */
  asMatrix(layer: L, tensors: tf.Tensor[]): tf.Tensor2D;
  /** Runs the layer through its own `call`, with `tap` on the output of its linear map. */
  forward(
    layer: L,
    call: LayerCall,
    inputs: tf.Tensor,
    kwargs: CallArguments,
    tap: Tap,
  ): tf.Tensor | tf.Tensor[];
  /** The factors, from what `forward` saved and the gradient that reached the tap. Runs inside the caller's `tf.tidy`. */
  factors(layer: L, saved: tf.Tensor[], outputGradient: tf.Tensor, includeBias: boolean): Factors;
}

const registry = new Map<string, LayerGradient>();

/** Makes a layer class attributable, or replaces the way in which it is. */
export function registerLayerGradient<L extends Layer>(adapter: LayerGradient<L>): void {
  // The registry hands an adapter only layers of the class it named, which the type system cannot see.
  registry.set(adapter.className, adapter);
}

/** The adapter of a layer class, if it has one. */
export function findLayerGradient(className: string): LayerGradient | undefined {
  return registry.get(className);
}

/** The names of all layer classes that have an adapter. */
export function attributableClasses(): string[] {
  return [...registry.keys()].sort();
}
