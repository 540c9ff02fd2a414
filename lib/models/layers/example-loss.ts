/** The loss of a language model, as a layer that a model can end in. */
import tf = require('@tensorflow/tfjs');
import { sparseCrossEntropy } from '../../losses';

/** The label of a token that has no loss. */
const NO_LOSS = -100;

/**
 * Cross-entropy of each token but the first, [N, S - 1]: of the logits [N, S, V] at one position and the label of [N, S] at
 * the next; zero where that is -100. Labels move to where their logits are, since moving logits would copy them.
 */
export function nextTokenLosses(logits: tf.Tensor3D, labels: tf.Tensor2D): tf.Tensor2D {
  return tf.tidy(() => {
    const next = nextLabels(labels);
    const counts = tf.notEqual(next, NO_LOSS);
    const losses = sparseCrossEntropy(tf.where(counts, next, tf.zerosLike(next)), logits);
    const [n, length] = labels.shape;
    return tf.slice2d(tf.mul(losses, tf.cast(counts, 'float32')), [0, 0], [n, length - 1]);
  });
}

/** The label of the token after each, [N, S]. */
function nextLabels(labels: tf.Tensor2D): tf.Tensor2D {
  const [n, length] = labels.shape;
  const after = tf.cast(tf.slice2d(labels, [0, 1], [n, length - 1]), 'int32');
  return tf.concat2d([after, tf.fill([n, 1], NO_LOSS, 'int32')], 1);
}

/** How the losses of an example's tokens become its own. */
export type LossReduction = 'mean' | 'sum';

/** Each example's loss, [N, 1], from [logits [N, S, V], labels [N, S]]: the mean or the sum over its tokens that have one. */
export class ExampleLoss extends tf.layers.Layer {
  static readonly className = 'BergsonExampleLoss';
  private readonly reduction: LossReduction;

  constructor({ name, reduction }: { readonly name: string; readonly reduction: LossReduction }) {
    super({ name });
    this.reduction = reduction;
  }

  override computeOutputShape(shapes: tf.Shape | tf.Shape[]): tf.Shape {
    const [[batch]] = shapes as [tf.Shape];
    return [batch ?? null, 1];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const [logits, labels] = inputs as [tf.Tensor3D, tf.Tensor2D];
      const sums = tf.sum(nextTokenLosses(logits, labels), 1, true);
      if (this.reduction === 'sum') return sums;
      const counts = tf.sum(tf.cast(tf.notEqual(nextLabels(labels), NO_LOSS), 'float32'), 1, true);
      return tf.div(sums, tf.maximum(counts, 1)); // an example without a label has no loss
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), reduction: this.reduction };
  }
}

tf.serialization.registerClass(ExampleLoss);
