/** Root mean square normalization over the last axis, and its per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { vectorMatrix } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { standardize } from '../../standardize';
import { onlyInput, onlyShape } from './composite-layer';

export interface RmsNormArgs {
  readonly name: string;
  readonly trainable?: boolean;
  readonly epsilon: number;
}

/** x / sqrt(mean x² + epsilon) * scale: float32 [N, S, C] -> the same. Zhang & Sennrich, arXiv 1910.07467, equation 4. */
export class RmsNorm extends tf.layers.Layer {
  static readonly className = 'BergsonRmsNorm';
  private readonly epsilon: number;
  /** [C]. */
  scale!: tf.LayerVariable;

  constructor({ name, trainable = true, epsilon }: RmsNormArgs) {
    super({ name, trainable });
    this.epsilon = epsilon;
  }

  override build(shape: tf.Shape | tf.Shape[]): void {
    const channels = onlyShape(shape).at(-1) ?? 0;
    this.scale = this.addWeight(`${this.name}.weight`, [channels], 'float32', tf.initializers.ones());
    this.built = true;
  }

  /** What the scale applies to. */
  normalize(x: tf.Tensor): tf.Tensor {
    return standardize(x, { axes: [x.rank - 1], epsilon: this.epsilon, centered: false });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const scale = this.scale.read();
    return standardize(x, { axes: [x.rank - 1], epsilon: this.epsilon, centered: false, scale });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }
}

tf.serialization.registerClass(RmsNorm);

/** sum_s d_s x̂_s: [C, 1]. */
const rmsNormGradient: LayerGradient<RmsNorm> = {
  className: RmsNorm.className,

  parts: ({ scale }) => [{ name: '', weights: variablesOf(scale), asMatrix: vectorMatrix }],

  forward({ layer, call, inputs, kwargs }, tap) {
    return tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([x], outputGradient) => {
      const [n = 0] = outputGradient.shape;
      const products = tf.mul(outputGradient, layer.normalize(x as tf.Tensor));
      return [{ gradient: tf.sum(products.reshape([n, -1, products.shape.at(-1) ?? 0]), 1).expandDims(2) }];
    });
  },
};
registerLayerGradient(rmsNormGradient);
