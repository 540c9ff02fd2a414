/** Layer normalization over the last axis, and its per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { ChannelFactors, STANDARDIZED } from '../../layers/channel-factors';
import { vectorMatrix } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { standardize } from '../../standardize';
import { onlyInput, onlyShape } from './composite-layer';

export interface LayerNormArgs {
  readonly name: string;
  readonly trainable?: boolean;
  readonly epsilon: number;
}

/** (x - mean) / sqrt(variance + epsilon) * scale + shift: float32 [N, S, C] -> the same. arXiv 1607.06450, equation 4. */
export class LayerNorm extends tf.layers.Layer {
  static readonly className = 'BergsonLayerNorm';
  private readonly epsilon: number;
  /** [C]. */
  scale!: tf.LayerVariable;
  shift!: tf.LayerVariable;

  constructor({ name, trainable = true, epsilon }: LayerNormArgs) {
    super({ name, trainable });
    this.epsilon = epsilon;
  }

  override build(shape: tf.Shape | tf.Shape[]): void {
    const channels = onlyShape(shape).at(-1) ?? 0;
    const { ones, zeros } = tf.initializers;
    this.scale = this.addWeight(`${this.name}.weight`, [channels], 'float32', ones());
    this.shift = this.addWeight(`${this.name}.bias`, [channels], 'float32', zeros());
    this.built = true;
  }

  /** What the weights apply to. */
  normalize(x: tf.Tensor): tf.Tensor {
    return standardize(x, { axes: [x.rank - 1], epsilon: this.epsilon, centered: true });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const [scale, shift] = [this.scale.read(), this.shift.read()];
    return standardize(x, { axes: [x.rank - 1], epsilon: this.epsilon, centered: true, scale, shift });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), epsilon: this.epsilon };
  }
}

tf.serialization.registerClass(LayerNorm);

/** Of the scale sum_s d_s x̂_s, and of the shift sum_s d_s, one under the other: [2 C, 1]. */
const layerNormGradient: LayerGradient<LayerNorm> = {
  className: LayerNorm.className,

  parts: ({ scale, shift }, includeBias) => [
    { name: '', weights: variablesOf(scale, includeBias ? shift : null), asMatrix: vectorMatrix },
  ],

  forward({ layer, call, inputs, kwargs, includeBias }, tap) {
    return tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([x], outputGradients) => {
      const values = layer.normalize(x as tf.Tensor);
      const factors = { outputGradients, values, ...STANDARDIZED, scale: true, shift: includeBias };
      return [new ChannelFactors(factors)];
    });
  },
};
registerLayerGradient(layerNormGradient);
