/** The interface a layer class implements to have per-example gradients, and the registry of those that do. */
import type * as tf from '@tensorflow/tfjs';
import type { Factors } from './factors';

export type Layer = tf.layers.Layer;
export type CallArguments = Record<string, unknown>;

/** A layer's own `call`, of the layer or of a view of it, on `inputs` in the form in which the layer was given them. */
export type LayerCall = (layer: Layer, inputs: tf.Tensor[], kwargs: CallArguments) => tf.Tensor | tf.Tensor[];

/** One call of a layer, as an adapter's `forward` sees it. */
export interface LayerContext<L extends Layer = Layer> {
  readonly layer: L;
  readonly call: LayerCall;
  /** One for most layers; a recurrent cell's are its input and its states. */
  readonly inputs: tf.Tensor[];
  readonly kwargs: CallArguments;
  /** Whether the layer's bias is attributed. */
  readonly includeBias: boolean;
  /** Runs the layer once more, on other inputs, with no tap on it or on the layers inside it. */
  readonly rerun: (inputs: tf.Tensor[], kwargs: CallArguments) => tf.Tensor | tf.Tensor[];
}

/**
 * What a tap contributes to each of the layer's parts, in their order; null where nothing. Made of what was `saved`
 * and the loss's gradient at the tapped output; runs inside the caller's `tf.tidy`.
 */
export type FactorsOf = (saved: tf.Tensor[], outputGradient: tf.Tensor) => readonly (Factors | null)[];

/**
 * Passes `output` through unchanged and, when the backward pass reaches it, has `factorsOf` make of `saved` and the
 * loss's gradient at `output` what the collector needs.
 */
export type Tap = (output: tf.Tensor, saved: tf.Tensor[], factorsOf: FactorsOf) => tf.Tensor;

/**
 * One gradient matrix [O, I] of a layer, outputs by inputs, whatever the shapes of the weights it belongs to; a bias
 * is its last column.
 */
export interface GradientPart {
  /** Empty for a layer's only part. */
  readonly name: string;
  /** The weights the matrix covers. */
  readonly weights: readonly tf.Variable[];
  /** Lays tensors shaped like those weights out as the gradient is: [O, I]. Runs inside the caller's `tf.tidy`. */
  readonly asMatrix: (tensors: tf.Tensor[]) => tf.Tensor2D;
  /** For the gradient of a linear map: the same tensors as a kernel and a bias, which needs less laying out, and can be split by head. */
  readonly asKernel?: (tensors: tf.Tensor[]) => KernelAndBias;
  /** Whether that map goes from what the layer gives to what it is given, as where a convolution runs backwards. */
  readonly reversed?: boolean;
  /** Which of how many equal slices of the weights' outputs it covers. Default: it covers them whole. */
  readonly head?: { readonly index: number; readonly of: number };
}

/** What a part of the layer at `path` is called. */
export function pathOfPart(path: string, { name }: Pick<GradientPart, 'name'>): string {
  return name === '' ? path : `${path}.${name}`;
}

/** The transpose of a gradient matrix [O, I] or [O, I + 1], as most layers keep it. */
export interface KernelAndBias {
  /** [..., O], the inputs before the outputs. */
  readonly kernel: tf.Tensor;
  /** [O]; null if no bias is covered. */
  readonly bias: tf.Tensor | null;
}

/** How one layer class yields per-example gradients: as one matrix, or as several, each with columns of its own. */
export interface LayerGradient<L extends Layer = Layer> {
  /** The layer class's registered name, as `layer.getClassName()` gives it. */
  readonly className: string;
  /** The layer's gradient matrices, which between them cover all its weights; biases only if `includeBias`. */
  parts(layer: L, includeBias: boolean): GradientPart[];
  /** Runs the layer through its own `call`, or by exactly the operations that would run, with a tap on each linear map. */
  forward(context: LayerContext<L>, tap: Tap): tf.Tensor | tf.Tensor[];
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
