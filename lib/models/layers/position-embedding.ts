/** Learned position vectors, and their per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { ContextLengthError } from '../../errors';
import { OneHotActivations } from '../../layers/activations';
import { kernelLayout } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { onlyInput, onlyShape } from './composite-layer';

export interface PositionEmbeddingArgs {
  readonly name: string;
  readonly trainable?: boolean;
  /** P, the longest sequence. */
  readonly contextLength: number;
}

/** Adds to each position's vector that of its place in the sequence: float32 [N, S, C] -> the same. */
export class PositionEmbedding extends tf.layers.Layer {
  static readonly className = 'BergsonPositionEmbedding';
  readonly contextLength: number;
  /** [P, C]. */
  embeddings!: tf.LayerVariable;

  constructor({ name, trainable = true, contextLength }: PositionEmbeddingArgs) {
    super({ name, trainable });
    this.contextLength = contextLength;
  }

  override build(shape: tf.Shape | tf.Shape[]): void {
    const width = onlyShape(shape).at(-1) ?? 0;
    const zeros = tf.initializers.zeros();
    this.embeddings = this.addWeight(`${this.name}.weight`, [this.contextLength, width], 'float32', zeros);
    this.built = true;
  }

  override computeOutputShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
    return onlyShape(shape);
  }

  /** @throws ContextLengthError */
  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const [, length = 0] = x.shape;
    if (length > this.contextLength) throw new ContextLengthError(length, this.contextLength);
    return tf.add(x, this.embeddings.read().slice([0, 0], [length, -1]));
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), contextLength: this.contextLength };
  }
}

tf.serialization.registerClass(PositionEmbedding);

/** A linear map of one-hot rows, position s having input s: [C, P]. */
const positionEmbeddingGradient: LayerGradient<PositionEmbedding> = {
  className: PositionEmbedding.className,

  parts: ({ embeddings }) => [{ name: '', weights: variablesOf(embeddings), ...kernelLayout }],

  forward: ({ layer, call, inputs, kwargs }, tap) =>
    tap(call(layer, inputs, kwargs) as tf.Tensor, [], (_, outputGradients) => {
      const [examples, length] = outputGradients.shape as [number, number];
      const positions = tf.tile<tf.Tensor2D>(tf.range(0, length, 1, 'int32').expandDims(0), [examples, 1]);
      return [{ activations: new OneHotActivations(positions, layer.contextLength), outputGradients }];
    }),
};
registerLayerGradient(positionEmbeddingGradient);
