/** A table of token vectors, which a model may also use as its output head, and its per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { linear } from '../../../kernels/linear';
import { DenseActivations, OneHotActivations } from '../../layers/activations';
import { kernelLayout } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { onlyInput, onlyShape } from './composite-layer';

export interface TokenEmbeddingArgs {
  readonly name: string;
  readonly trainable?: boolean;
  /** V, the number of tokens. */
  readonly vocabularySize: number;
  /** C. */
  readonly width: number;
}

/**
 * E [V, C], applied in one of two ways: to ids [N, S] it gives their vectors, float32 [N, S, C]; to vectors [N, S, C]
 * their products with every token's, x Eᵀ [N, S, V], the logits of a model whose head is tied to its embedding.
 */
export class TokenEmbedding extends tf.layers.Layer {
  static readonly className = 'BergsonTokenEmbedding';
  readonly vocabularySize: number;
  private readonly width: number;
  embeddings!: tf.LayerVariable;

  constructor({ name, trainable = true, vocabularySize, width }: TokenEmbeddingArgs) {
    super({ name, trainable });
    this.vocabularySize = vocabularySize;
    this.width = width;
  }

  override build(): void {
    const shape = [this.vocabularySize, this.width];
    this.embeddings = this.addWeight(`${this.name}.weight`, shape, 'float32', tf.initializers.zeros());
    this.built = true;
  }

  override computeOutputShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
    const given = onlyShape(shape);
    return isIds(given) ? [...given, this.width] : [...given.slice(0, -1), this.vocabularySize];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const embeddings = this.embeddings.read() as tf.Tensor2D;
    if (isIds(x.shape)) return tf.gather(embeddings, x.toInt());
    return linear(x, { weight: embeddings, transposed: true, bias: null });
  }

  /** A model that calls a layer twice counts it twice, but disposes it once. */
  override dispose(): ReturnType<tf.layers.Layer['dispose']> {
    this._refCount = 1;
    return super.dispose();
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), vocabularySize: this.vocabularySize, width: this.width };
  }
}

tf.serialization.registerClass(TokenEmbedding);

function isIds({ length: rank }: tf.Shape): boolean {
  return rank === 2;
}

/**
 * One matrix [C, V]. As an embedding the map is one of one-hot rows, sum_s d_s onehot(id_s)ᵀ. As a head what it gives has
 * the rows, and what it is given the columns, of the transpose: sum_s x_s d_sᵀ. Where a model does both, they are summed.
 */
const tokenEmbeddingGradient: LayerGradient<TokenEmbedding> = {
  className: TokenEmbedding.className,

  parts: ({ embeddings }) => [{ name: '', weights: variablesOf(embeddings), ...kernelLayout }],

  forward: ({ layer, call, inputs, kwargs }, tap) =>
    tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([x], outputGradient) => {
      const given = x as tf.Tensor;
      return isIds(given.shape)
        ? [
            {
              activations: new OneHotActivations(given.toInt() as tf.Tensor2D, layer.vocabularySize),
              outputGradients: outputGradient,
            },
          ]
        : [{ activations: new DenseActivations(outputGradient), outputGradients: given }];
    }),
};
registerLayerGradient(tokenEmbeddingGradient);
