/** Layers made of others, which they hold as properties. */
import tf = require('@tensorflow/tfjs');
import type { Linear, Lora } from './linear';

/**
 * Passes on the weights of the layers it holds, and its `trainable` to them; tfjs does not look for layers in
 * properties. Layers held are named by their whole path, `h.0.attn.c_attn`, and name their weights by it, so that every
 * weight of a model has a name of its own, and it is Hugging Face's. The output output has the input's shape unless the class says otherwise.
 */
export abstract class CompositeLayer extends tf.layers.Layer {
  /** The layers directly inside. */
  get held(): tf.layers.Layer[] {
    return Object.values(this).filter((value: unknown) => value instanceof tf.layers.Layer);
  }

  /** The adapters that were put on it, by paths from here. */
  private adapters: Readonly<Record<string, Lora>> = {};

  /** Puts adapters on linear maps inside, by their paths from here (`attn.c_attn`), and freezes all else. */
  adapt(adapters: Readonly<Record<string, Lora>>): void {
    this.adapters = adapters;
    for (const layer of this.held) layer.trainable = false;
    for (const [path, lora] of Object.entries(adapters)) {
      const map = path.split('.').reduce((layer: object, name) => Reflect.get(layer, name) as object, this);
      (map as Linear).adapt(lora);
    }
  }

  override getConfig(): tf.serialization.ConfigDict {
    const adapters = Object.entries(this.adapters).map(([path, lora]) => ({ ...lora, name: path }));
    return { ...super.getConfig(), adapters };
  }

  static override fromConfig<T extends tf.serialization.Serializable>(
    cls: tf.serialization.SerializableConstructor<T>,
    { adapters, ...config }: tf.serialization.ConfigDict,
  ): T {
    const layer = new cls(config);
    const list = adapters as unknown as readonly (Lora & { readonly name: string })[];
    if (list.length > 0 && layer instanceof CompositeLayer) {
      layer.adapt(Object.fromEntries(list.map(({ name, rank, scale }) => [name, { rank, scale }])));
    }
    return layer;
  }

  override get trainableWeights() {
    return this.held.flatMap((layer) => layer.trainableWeights);
  }

  override get nonTrainableWeights() {
    return this.held.flatMap((layer) => layer.nonTrainableWeights);
  }

  override get trainable(): boolean {
    return this.trainable_;
  }

  override set trainable(trainable: boolean) {
    this.trainable_ = trainable;
    for (const layer of this.held) layer.trainable = trainable;
  }

  /** Each layer held is given the input's shape, unless the class says otherwise. */
  override build(inputShape: tf.Shape | tf.Shape[]): void {
    for (const layer of this.held) layer.build(onlyShape(inputShape));
    this.built = true;
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return onlyShape(inputShape);
  }
}

/** What `layer` makes of one tensor. */
export function applyTo(layer: tf.layers.Layer, input: tf.Tensor): tf.Tensor3D {
  return layer.apply(input) as tf.Tensor3D;
}

/** The only tensor that a layer is called with. */
export function onlyInput(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  const [input] = [inputs].flat();
  if (input === undefined) throw new Error('internal: a layer was called without an input');
  return input;
}

/** The only shape that a layer is built for. */
export function onlyShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
  return Array.isArray(shape[0]) ? shape[0] : (shape as tf.Shape);
}
