/** Reads the weights that tfjs's layer classes hold in protected fields. */
import type * as tf from '@tensorflow/tfjs';
import type { Layer } from './layer-gradient';

/** A weight as a layer holds it; null where the layer was configured without it. */
export type Weight = { read(): tf.Variable } | null | undefined;

/** The variables that a layer or model holds. */
export function variables(layer: Layer): tf.Variable[] {
  // A `LayerVariable` reads as the variable it wraps, which its type calls a tensor.
  return layer.weights.map((weight) => weight.read() as unknown as tf.Variable);
}

/** The variables that a layer or model trains. */
export function trainableVariables(layer: Layer): tf.Variable[] {
  return layer.trainableWeights.map((weight) => weight.read() as unknown as tf.Variable);
}

/** The variables of those weights that the layer has. */
export function variablesOf(...weights: (Weight | tf.LayerVariable)[]): tf.Variable[] {
  return weights.flatMap((weight) => (weight?.read() ?? []) as tf.Variable | []);
}

/** What the layer that holds a weight calls it: the same for every layer of the class, and in every process. */
export function localName({ originalName }: tf.LayerVariable): string {
  return originalName.slice(originalName.lastIndexOf('/') + 1);
}
