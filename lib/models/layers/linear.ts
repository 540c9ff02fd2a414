/** A linear map of every position, and its per-example gradients. */
import tf = require('@tensorflow/tfjs');
import { linear } from '../../../kernels/linear';
import { DenseActivations } from '../../layers/activations';
import { kernelLayout } from '../../layers/gradient-matrix';
import { registerLayerGradient, type LayerGradient } from '../../layers/layer-gradient';
import { variablesOf } from '../../layers/weight';
import { applyTo, onlyInput, onlyShape } from './composite-layer';

/** An adapter of low rank beside a linear map, which adds x A B times `scale`. Hu et al., LoRA, arXiv 2106.09685. */
export interface Lora {
  readonly rank: number;
  readonly scale: number;
}

export interface LinearArgs {
  readonly name: string;
  readonly trainable?: boolean;
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
  /** The two maps of the adapter, if there is one; the map itself is then frozen. */
  lora_A: Linear | null = null;
  lora_B: Linear | null = null;
  private lora: Lora | null = null;
  /** What tfjs puts before names of weights made while the outermost layer is built, where this map is made later. */
  private scope = '';

  constructor({ name, trainable = true, units, useBias = true }: LinearArgs) {
    super({ name, trainable });
    this.units = units;
    this.useBias = useBias;
  }

  override build(shape: tf.Shape | tf.Shape[]): void {
    const inputs = onlyShape(shape).at(-1) ?? 0;
    const zeros = tf.initializers.zeros();
    this.kernel = this.addWeight(`${this.scope}${this.name}.weight`, [inputs, this.units], 'float32', zeros);
    if (this.useBias) this.bias = this.addWeight(`${this.name}.bias`, [this.units], 'float32', zeros);
    this.built = true;
    if (this.lora !== null) this.buildAdapter();
  }

  /** Puts an adapter beside the map. Its weights are zero until they are set. */
  adapt(lora: Lora): void {
    this.trainable = false;
    this.lora = lora;
    this.lora_A = new Linear({ name: `${this.name}.lora_A`, units: lora.rank, useBias: false });
    this.lora_B = new Linear({ name: `${this.name}.lora_B`, units: this.units, useBias: false });
    if (!this.built) return;
    const { originalName } = this.kernel;
    const scope = originalName.slice(0, originalName.lastIndexOf('/') + 1);
    this.lora_A.scope = this.lora_B.scope = scope;
    this.buildAdapter();
  }

  private buildAdapter(): void {
    const [inputs = 0] = this.kernel.shape;
    this.lora_A?.build([null, null, inputs]);
    this.lora_B?.build([null, null, this.lora?.rank ?? 0]);
  }

  private get adapters(): Linear[] {
    return [this.lora_A, this.lora_B].filter((map) => map !== null);
  }

  override get trainableWeights(): tf.LayerVariable[] {
    return [...super.trainableWeights, ...this.adapters.flatMap((map) => map.trainableWeights)];
  }

  override get nonTrainableWeights(): tf.LayerVariable[] {
    return [...super.nonTrainableWeights, ...this.adapters.flatMap((map) => map.nonTrainableWeights)];
  }

  override computeOutputShape(shape: tf.Shape | tf.Shape[]): tf.Shape {
    return [...onlyShape(shape).slice(0, -1), this.units];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const mapped = linear(x, {
      weight: this.kernel.read() as tf.Tensor2D,
      transposed: false,
      bias: (this.bias?.read() ?? null) as tf.Tensor1D | null,
    });
    if (this.lora === null || this.lora_A === null || this.lora_B === null) return mapped;
    return tf.add(mapped, tf.mul(applyTo(this.lora_B, applyTo(this.lora_A, x)), this.lora.scale));
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
