/** Multi-head self-attention as tfjs code writes it: dense layers for query, key, value and output. */
import tf = require('@tensorflow/tfjs');
import { applyTo, CompositeLayer, onlyInput } from './composite-layer';

export class MultiHeadAttention extends CompositeLayer {
  static readonly className = 'SpecMultiHeadAttention';
  readonly query: tf.layers.Layer;
  readonly key: tf.layers.Layer;
  readonly value: tf.layers.Layer;
  readonly output_: tf.layers.Layer;

  /** `width` is the inputs' last axis, and divisible by `numHeads`. */
  constructor(
    private readonly numHeads: number,
    private readonly width: number,
    name: string,
  ) {
    super({ name });
    const linear = (seed: number) =>
      tf.layers.dense({ units: width, kernelInitializer: tf.initializers.glorotNormal({ seed }) });
    [this.query, this.key, this.value, this.output_] = [linear(1), linear(2), linear(3), linear(4)];
  }

  override build(inputShape: tf.Shape | tf.Shape[]): void {
    for (const layer of [this.query, this.key, this.value, this.output_]) layer.build(inputShape);
    this.built = true;
  }

  /** [N, S, width] -> the same. */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs);
      const [query, key, value] = [this.query, this.key, this.value].map((layer) =>
        splitHeads(applyTo(layer, x), this.numHeads),
      ) as [tf.Tensor, tf.Tensor, tf.Tensor];
      const scores = tf.matMul(query, key, false, true).div(Math.sqrt(this.width / this.numHeads));
      return applyTo(this.output_, joinHeads(tf.matMul(tf.softmax(scores), value)));
    });
  }
}

/** [N, S, C] -> [N, heads, S, C / heads]. */
function splitHeads(x: tf.Tensor, numHeads: number): tf.Tensor {
  const [n = 0, s = 0, channels = 0] = x.shape;
  return x.reshape([n, s, numHeads, channels / numHeads]).transpose([0, 2, 1, 3]);
}

/** [N, heads, S, C / heads] -> [N, S, C]. */
function joinHeads(x: tf.Tensor): tf.Tensor {
  const [n = 0, heads = 0, s = 0, size = 0] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([n, s, heads * size]);
}
