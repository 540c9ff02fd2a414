/** GPT-NeoX, which Pythia is: rotary embeddings of some channels, attention and feed-forward side by side. Black et al., arXiv 2204.06745. */
import tf = require('@tensorflow/tfjs');
import type { Architecture } from './architecture';
import { ACTIVATIONS, readActivation, type ActivationName } from './layers/activation';
import { causalAttention } from './layers/causal-attention';
import { applyTo, CompositeLayer, onlyInput } from './layers/composite-layer';
import { LayerNorm } from './layers/layer-norm';
import { Linear } from './layers/linear';
import { TokenEmbedding } from './layers/token-embedding';
import { rotaryFrequencies, rotaryShare } from './rotary-frequencies';

interface GptNeoXBlockArgs extends tf.serialization.ConfigDict {
  readonly name: string;
  readonly width: number;
  readonly heads: number;
  /** Of rotary embeddings, as `causalAttention` takes them. */
  readonly frequencies: number[];
  readonly attentionBias: boolean;
  readonly innerWidth: number;
  readonly activation: ActivationName;
  readonly epsilon: number;
  /** Whether the feed-forward layer is given the block's input, and not what attention made of it. */
  readonly parallel: boolean;
}

/** Query, key and value of a head lie beside each other in the outputs of one map: [N, S, C] -> the same. */
class Attention extends CompositeLayer {
  static readonly className = 'BergsonGptNeoXAttention';
  readonly query_key_value: Linear;
  readonly dense: Linear;

  constructor(private readonly args: GptNeoXBlockArgs) {
    const { width, attentionBias: useBias } = args;
    const name = `${args.name}.attention`;
    super({ name });
    this.query_key_value = new Linear({ name: `${name}.query_key_value`, units: 3 * width, useBias });
    this.dense = new Linear({ name: `${name}.dense`, units: width, useBias });
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const { heads, width, frequencies } = this.args;
    const mapped = applyTo(this.query_key_value, onlyInput(inputs));
    const scale = 1 / Math.sqrt(width / heads);
    return applyTo(
      this.dense,
      causalAttention([mapped], { heads, scale, frequencies, order: 'head by head' }),
    );
  }
}

/** [N, S, C] -> the same. */
class FeedForward extends CompositeLayer {
  static readonly className = 'BergsonGptNeoXFeedForward';
  readonly dense_h_to_4h: Linear;
  readonly dense_4h_to_h: Linear;

  constructor(private readonly args: GptNeoXBlockArgs) {
    const name = `${args.name}.mlp`;
    super({ name });
    this.dense_h_to_4h = new Linear({ name: `${name}.dense_h_to_4h`, units: args.innerWidth });
    this.dense_4h_to_h = new Linear({ name: `${name}.dense_4h_to_h`, units: args.width });
  }

  override build(shape: tf.Shape): void {
    this.dense_h_to_4h.build(shape);
    this.dense_4h_to_h.build(this.dense_h_to_4h.computeOutputShape(shape));
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const activation = ACTIVATIONS[this.args.activation];
    return applyTo(this.dense_4h_to_h, activation(applyTo(this.dense_h_to_4h, onlyInput(inputs))));
  }
}

/** [N, S, C] -> the same. */
class GptNeoXBlock extends CompositeLayer {
  static readonly className = 'BergsonGptNeoXBlock';
  readonly input_layernorm: LayerNorm;
  readonly attention: Attention;
  readonly post_attention_layernorm: LayerNorm;
  readonly mlp: FeedForward;

  constructor(private readonly args: GptNeoXBlockArgs) {
    const { name, epsilon } = args;
    super({ name });
    this.input_layernorm = new LayerNorm({ name: `${name}.input_layernorm`, epsilon });
    this.attention = new Attention(args);
    this.post_attention_layernorm = new LayerNorm({ name: `${name}.post_attention_layernorm`, epsilon });
    this.mlp = new FeedForward(args);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const x = onlyInput(inputs);
      const attended = tf.add(x, applyTo(this.attention, applyTo(this.input_layernorm, x)));
      const given = this.args.parallel ? x : attended;
      return tf.add(attended, applyTo(this.mlp, applyTo(this.post_attention_layernorm, given)));
    });
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}

tf.serialization.registerClass(GptNeoXBlock);

export const gptNeoX: Architecture = {
  modelType: 'gpt_neox',
  prefix: 'gpt_neox.',
  headName: 'embed_out',
  mapLayout: 'outputs first',
  tiesByDefault: false,

  build(config, ids) {
    const width = config.size('hidden_size');
    const heads = config.size('num_attention_heads');
    const vocabularySize = config.size('vocab_size');
    const contextLength = config.size('max_position_embeddings');
    const epsilon = config.number('layer_norm_eps', 1e-5);
    const shared = {
      width,
      heads,
      frequencies: rotaryFrequencies(config, Math.floor((width / heads) * rotaryShare(config, 0.25))),
      attentionBias: config.flag('attention_bias', true),
      innerWidth: config.size('intermediate_size'),
      activation: readActivation(config, 'hidden_act', 'gelu'),
      epsilon,
      parallel: config.flag('use_parallel_residual', true),
    };
    const blocks = Array.from({ length: config.size('num_hidden_layers') }, (_, i) => `layers.${i}`);

    const tokens = new TokenEmbedding({ name: 'embed_in', vocabularySize, width });
    const hidden = blocks.reduce(
      (x, name) => new GptNeoXBlock({ ...shared, name }).apply(x) as tf.SymbolicTensor,
      tokens.apply(ids) as tf.SymbolicTensor,
    );
    const final = new LayerNorm({ name: 'final_layer_norm', epsilon });
    return { hidden: final.apply(hidden) as tf.SymbolicTensor, tokens, contextLength };
  },
};
