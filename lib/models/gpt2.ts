/** GPT-2. Radford et al., Language Models are Unsupervised Multitask Learners, 2019. */
import tf = require('@tensorflow/tfjs');
import type { Architecture } from './architecture';
import { ACTIVATIONS, readActivation, type ActivationName } from './layers/activation';
import { causalAttention } from './layers/causal-attention';
import { applyTo, CompositeLayer, onlyInput } from './layers/composite-layer';
import { LayerNorm } from './layers/layer-norm';
import { Linear } from './layers/linear';
import { PositionEmbedding } from './layers/position-embedding';
import { preNorm } from './layers/pre-norm';
import { TokenEmbedding } from './layers/token-embedding';

interface Gpt2BlockArgs extends tf.serialization.ConfigDict {
  readonly name: string;
  readonly width: number;
  readonly heads: number;
  /** What products of queries and keys are multiplied by. */
  readonly scale: number;
  /** Channels between the two maps of the feed-forward layer. */
  readonly innerWidth: number;
  readonly activation: ActivationName;
  readonly epsilon: number;
}

/** Queries, keys and values are the outputs of one map, in this order: [N, S, C] -> the same. */
class Attention extends CompositeLayer {
  static readonly className = 'BergsonGpt2Attention';
  readonly c_attn: Linear;
  readonly c_proj: Linear;

  constructor(private readonly args: Gpt2BlockArgs) {
    const name = `${args.name}.attn`;
    super({ name });
    this.c_attn = new Linear({ name: `${name}.c_attn`, units: 3 * args.width });
    this.c_proj = new Linear({ name: `${name}.c_proj`, units: args.width });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const { heads, scale } = this.args;
    const mapped = applyTo(this.c_attn, onlyInput(inputs));
    return applyTo(this.c_proj, causalAttention([mapped], { heads, scale, order: 'map by map' }));
  }
}

/** [N, S, C] -> the same. */
export class Gpt2FeedForward extends CompositeLayer {
  static readonly className = 'BergsonGpt2FeedForward';
  readonly c_fc: Linear;
  readonly c_proj: Linear;
  private readonly activation: (x: tf.Tensor) => tf.Tensor;

  constructor(args: Pick<Gpt2BlockArgs, 'name' | 'width' | 'innerWidth' | 'activation'>) {
    const name = `${args.name}.mlp`;
    super({ name });
    this.c_fc = new Linear({ name: `${name}.c_fc`, units: args.innerWidth });
    this.c_proj = new Linear({ name: `${name}.c_proj`, units: args.width });
    this.activation = ACTIVATIONS[args.activation];
  }

  override build(shape: tf.Shape): void {
    this.c_fc.build(shape);
    this.c_proj.build(this.c_fc.computeOutputShape(shape));
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return applyTo(this.c_proj, this.activation(applyTo(this.c_fc, onlyInput(inputs))));
  }
}

/** Attention and a feed-forward layer, each of the normalized input and added to it: [N, S, C] -> the same. */
class Gpt2Block extends CompositeLayer {
  static readonly className = 'BergsonGpt2Block';
  readonly ln_1: LayerNorm;
  readonly attn: Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: Gpt2FeedForward;

  constructor(private readonly args: Gpt2BlockArgs) {
    const { name, epsilon } = args;
    super({ name });
    this.ln_1 = new LayerNorm({ name: `${name}.ln_1`, epsilon });
    this.attn = new Attention(args);
    this.ln_2 = new LayerNorm({ name: `${name}.ln_2`, epsilon });
    this.mlp = new Gpt2FeedForward(args);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return preNorm(onlyInput(inputs), [this.ln_1, this.attn], [this.ln_2, this.mlp]);
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}

tf.serialization.registerClass(Gpt2Block);

export const gpt2: Architecture = {
  modelType: 'gpt2',
  prefix: 'transformer.',
  headName: 'lm_head',
  mapLayout: 'inputs first',
  tiesByDefault: true,

  build(config, ids) {
    const width = config.size('n_embd');
    const heads = config.size('n_head');
    const epsilon = config.number('layer_norm_epsilon', 1e-5);
    const contextLength = config.size('n_positions');
    const vocabularySize = config.size('vocab_size');
    const scaled = config.flag('scale_attn_weights', true);
    const byLayer = config.flag('scale_attn_by_inverse_layer_idx', false);
    const innerWidth = config.size('n_inner', 4 * width);
    const activation = readActivation(config, 'activation_function', 'gelu_new');
    const blocks = Array.from({ length: config.size('n_layer') }, (_, i) => i);

    const tokens = new TokenEmbedding({ name: 'wte', vocabularySize, width });
    const embedded = new PositionEmbedding({ name: 'wpe', contextLength }).apply(tokens.apply(ids));
    const hidden = blocks.reduce((x, i) => {
      const block = new Gpt2Block({
        name: `h.${i}`,
        width,
        heads,
        scale: (scaled ? 1 / Math.sqrt(width / heads) : 1) / (byLayer ? i + 1 : 1),
        innerWidth,
        activation,
        epsilon,
      });
      return block.apply(x) as tf.SymbolicTensor;
    }, embedded as tf.SymbolicTensor);
    const normalized = new LayerNorm({ name: 'ln_f', epsilon }).apply(hidden) as tf.SymbolicTensor;
    return { hidden: normalized, tokens, contextLength };
  },
};
