/**
 * The layers of the benchmark's GPT-like language model, each built from ordinary tfjs layers it holds, as a program's own would
 * be. The GPT-2 of `lib/models/` is no substitute: its layers have none of the slow spots that `untouched` and the host fixes
 * are compared by. `bench:build` measures that one.
 */
import tf = require('@tensorflow/tfjs');
import type { CrossEntropy } from '../../lib/losses';

/** Layers this project's examples define pass their weights on from the layers they hold. */
abstract class CompositeLayer extends tf.layers.Layer {
  protected readonly parts: tf.layers.Layer[] = [];

  protected hold<T extends tf.layers.Layer>(layer: T): T {
    this.parts.push(layer);
    return layer;
  }

  // tfjs collects weights from these three getters alone; it does not look for layers held as properties.
  override get trainableWeights() {
    return this.parts.flatMap((part) => part.trainableWeights);
  }

  override get nonTrainableWeights() {
    return this.parts.flatMap((part) => part.nonTrainableWeights);
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return firstShape(inputShape);
  }
}

function firstShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
  return Array.isArray(shape[0]) ? shape[0] : (shape as tf.Shape);
}

function firstTensor(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
  const first = Array.isArray(inputs) ? inputs[0] : inputs;
  if (first === undefined) throw new Error('internal: a layer was called without inputs');
  return first;
}

/** Token plus learned position embedding: int32-valued ids [N, S] to float32 [N, S, width]. */
export class TokenAndPosition extends CompositeLayer {
  static readonly className = 'BenchTokenAndPosition';
  readonly token: tf.layers.Layer;
  readonly position: tf.layers.Layer;

  constructor(
    private readonly width: number,
    vocabulary: number,
    context: number,
    seed: number,
    name: string,
  ) {
    super({ name });
    this.token = this.hold(embedding(`${name}_token`, vocabulary, width, seed));
    this.position = this.hold(embedding(`${name}_position`, context, width, seed + 1));
  }

  override build(inputShape: tf.Shape | tf.Shape[]) {
    this.token.build(inputShape);
    this.position.build(inputShape);
    this.built = true;
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return [...firstShape(inputShape), this.width];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const ids = firstTensor(inputs); // [N, S]
      const row = tf.range(0, ids.shape[1] ?? 0, 1, 'int32').expandDims(0);
      const positions = row.tile([ids.shape[0], 1]); // [N, S]: one row an example keeps their gradients apart
      const token = this.token.apply(ids) as tf.Tensor; // [N, S, width]
      return tf.add(token, this.position.apply(positions) as tf.Tensor);
    });
  }
}

/** Causal multi-head self-attention with separate query, key, value and output maps: [N, S, width] to the same. */
export class CausalSelfAttention extends CompositeLayer {
  static readonly className = 'BenchCausalSelfAttention';
  readonly query: tf.layers.Layer;
  readonly key: tf.layers.Layer;
  readonly value: tf.layers.Layer;
  readonly output_: tf.layers.Layer;

  constructor(
    private readonly width: number,
    private readonly heads: number,
    seed: number,
    name: string,
  ) {
    super({ name });
    this.query = this.hold(linear(`${name}_query`, width, seed));
    this.key = this.hold(linear(`${name}_key`, width, seed + 1));
    this.value = this.hold(linear(`${name}_value`, width, seed + 2));
    this.output_ = this.hold(linear(`${name}_output`, width, seed + 3));
  }

  override build(inputShape: tf.Shape | tf.Shape[]) {
    for (const part of this.parts) part.build(inputShape);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = firstTensor(inputs); // [N, S, width]
      const [examples = 0, positions = 0] = x.shape;
      const perHead = this.width / this.heads;
      const split = (layer: tf.layers.Layer) =>
        (layer.apply(x) as tf.Tensor)
          .reshape([examples, positions, this.heads, perHead])
          .transpose([0, 2, 1, 3]); // [N, heads, S, perHead]
      const query = split(this.query).mul(1 / Math.sqrt(perHead));
      const scores = tf.matMul(query, split(this.key), false, true); // [N, heads, S, S]
      const weights = tf.softmax(scores.add(causalMask(positions)));
      const mixed = tf.matMul(weights, split(this.value)); // [N, heads, S, perHead]
      const joined = mixed.transpose([0, 2, 1, 3]).reshape([examples, positions, this.width]);
      return this.output_.apply(joined) as tf.Tensor;
    });
  }
}

/** [S, S]: 0 where a position may look, -1e9 at later positions. The caller disposes it. */
function causalMask(positions: number): tf.Tensor {
  return tf.tidy(() => {
    const index = tf.range(0, positions);
    return index.expandDims(0).greater(index.expandDims(1)).cast('float32').mul(-1e9);
  });
}

/** Cross-entropy of each token as a layer: [labels [N, S], logits [N, S, vocabulary]] to losses [N, S]. */
export class TokenLoss extends tf.layers.Layer {
  static readonly className = 'BenchTokenLoss';

  constructor(
    private readonly crossEntropy: CrossEntropy,
    name: string,
  ) {
    super({ name });
  }

  override computeOutputShape(inputShape: tf.Shape | tf.Shape[]): tf.Shape {
    return firstShape(inputShape);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const [labels, logits] = inputs as tf.Tensor[];
    if (labels === undefined || logits === undefined) throw new Error('internal: expected labels and logits');
    return this.crossEntropy(labels, logits);
  }
}

const normal = (seed: number) => tf.initializers.randomNormal({ stddev: 0.02, seed });

/** A Dense layer with GPT-2's initialisation: normal of standard deviation 0.02, bias 0. */
export function linear(name: string, units: number, seed: number, activation?: 'gelu'): tf.layers.Layer {
  const shared = { name, units, kernelInitializer: normal(seed) };
  return tf.layers.dense(activation === undefined ? shared : { ...shared, activation });
}

function embedding(name: string, inputDim: number, outputDim: number, seed: number): tf.layers.Layer {
  return tf.layers.embedding({ name, inputDim, outputDim, embeddingsInitializer: normal(seed) });
}

/** Cross-entropy as tfjs code has it, of ops tfjs exports: what `sparseCrossEntropy` is measured against. */
export function composedCrossEntropy(labels: tf.Tensor, logits: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const oneHot = tf.oneHot(labels.cast('int32'), logits.shape.at(-1) ?? 0);
    return tf.neg(tf.sum(tf.mul(tf.logSoftmax(logits), oneHot.cast('float32')), -1));
  });
}
