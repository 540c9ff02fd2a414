/** Layers made of others, which they hold as properties. */
import tf = require('@tensorflow/tfjs');

/** Passes on the weights of the layers it holds, which tfjs does not look for. Its output has its first input's shape. */
export abstract class CompositeLayer extends tf.layers.Layer {
  override get trainableWeights() {
    return this.held.flatMap((layer) => layer.trainableWeights);
  }

  override get nonTrainableWeights() {
    return this.held.flatMap((layer) => layer.nonTrainableWeights);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return Array.isArray(inputShape[0]) ? inputShape[0] : (inputShape as tf.Shape);
  }

  private get held(): tf.layers.Layer[] {
    return Object.values(this)
      .flat()
      .filter((value: unknown): value is tf.layers.Layer => value instanceof tf.layers.Layer);
  }
}

/** Calls a layer on one tensor. */
export function applyTo(layer: tf.layers.Layer, input: tf.Tensor): tf.Tensor {
  return layer.apply(input) as tf.Tensor;
}

/** The only tensor that a layer is called with. */
export function onlyInput(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  const [input] = [inputs].flat();
  if (input === undefined) throw new Error('a layer was called without an input');
  return input;
}
