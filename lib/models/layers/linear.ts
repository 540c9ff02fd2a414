/** A linear map of every position, and its per-example gradients. */
import * as tf from '@tensorflow/tfjs';
import { DenseActivations } from '../../layers/activations';
import { kernelLayout } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { onlyInput, onlyShape } from './composite-layer';

export interface LinearArgs {
  readonly name: string;
  readonly units: number;
  /** Default: true. */
  readonly useBias?: boolean;
}

/**
 * x W + b: float32 [N, S, I] -> [N, S, O]. The operations are those of one product of matrices; those of
 * `tf.layers.dense` copy the kernel, and compute its gradient also where nobody asks for it.
 */
export class Linear extends tf.layers.Layer {
  static readonly className = 'BergsonLinear';
  readonly units: number;
  private readonly useBias: boolean;
  /** [I, O]. */
  kernel!: tf.LayerVariable;
  bias: tf.LayerVariable | null = null;

  constructor({ name, units, useBias = true }: LinearArgs) {
    super({ name });
    this.units = units;
    this.useBias = useBias;
  }

  override build(shape: tf.Shape | tf.Shape[]): void {
    const inputs = onlyShape(shape).at(-1) ?? 0;
    const zeros = tf.initializers.zeros();
    this.kernel = this.addWeight(`${this.name}.weight`, [inputs, this.units], 'float32', zeros);
    if (this.useBias) this.bias = this.addWeight(`${this.name}.bias`, [this.units], 'float32', zeros);
    this.built = true;
  }

  override computeOutputShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
    return [...onlyShape(shape).slice(0, -1), this.units];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const rows = x.reshape<tf.Tensor2D>([-1, x.shape.at(-1) ?? 0]);
    const product = tf.matMul(rows, this.kernel.read()); // [N S, O]
    const output = this.bias === null ? product : tf.add(product, this.bias.read());
    return output.reshape([...x.shape.slice(0, -1), this.units]);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), units: this.units, useBias: this.useBias };
  }
}

tf.serialization.registerClass(Linear);

const linearGradient: LayerGradient<Linear> = {
  className: Linear.className,

  parts: ({ kernel, bias }, includeBias) => [
    { name: '', weights: variablesOf(kernel, includeBias ? bias : null), ...kernelLayout },
  ],

  forward: ({ layer, call, inputs, kwargs }, tap) =>
    tap(call(layer, inputs, kwargs) as tf.Tensor, inputs, ([x], outputGradients) => [
      { activations: new DenseActivations(x as tf.Tensor), outputGradients },
    ]),
};
registerLayerGradient(linearGradient);
