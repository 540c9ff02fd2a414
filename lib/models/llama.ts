/** Llama, and what is built like it: SmolLM2, Mistral, Qwen2. Touvron et al., arXiv 2302.13971; Jiang et al., arXiv 2310.06825. */
import tf = require('@tensorflow/tfjs');
import type { Architecture } from './architecture';
import { gated, readActivation, type ActivationName } from './layers/activation';
import { causalAttention } from './layers/causal-attention';
import { applyTo, CompositeLayer, onlyInput } from './layers/composite-layer';
import { Linear } from './layers/linear';
import { RmsNorm } from './layers/rms-norm';
import { preNorm } from './layers/pre-norm';
import { TokenEmbedding } from './layers/token-embedding';
import type { ModelConfig } from './model-config';
import { rotaryFrequencies } from './rotary-frequencies';

interface LlamaBlockArgs extends tf.serialization.ConfigDict {
  readonly name: string;
  readonly width: number;
  readonly heads: number;
  /** Heads of keys and values, each shared by as many of the queries' as divide it. */
  readonly keyHeads: number;
  readonly headSize: number;
  /** Of rotary embeddings, as `causalAttention` takes them. */
  readonly frequencies: number[];
  /** How far a position looks back; null: to the beginning. */
  readonly window: number | null;
  readonly queryKeyValueBias: boolean;
  readonly outputBias: boolean;
  readonly innerWidth: number;
  readonly innerBias: boolean;
  readonly activation: ActivationName;
  readonly epsilon: number;
}

/** [N, S, C] -> the same. */
class Attention extends CompositeLayer {
  static readonly className = 'BergsonLlamaAttention';
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly o_proj: Linear;

  constructor(private readonly args: LlamaBlockArgs) {
    const { width, heads, keyHeads, headSize, queryKeyValueBias, outputBias } = args;
    const name = `${args.name}.self_attn`;
    super({ name });
    const linear = (map: string, units: number, useBias: boolean) =>
      new Linear({ name: `${name}.${map}`, units, useBias });
    this.q_proj = linear('q_proj', heads * headSize, queryKeyValueBias);
    this.k_proj = linear('k_proj', keyHeads * headSize, queryKeyValueBias);
    this.v_proj = linear('v_proj', keyHeads * headSize, queryKeyValueBias);
    this.o_proj = linear('o_proj', width, outputBias);
  }

  override build(shape: tf.Shape): void {
    for (const map of [this.q_proj, this.k_proj, this.v_proj]) map.build(shape);
    this.o_proj.build(this.q_proj.computeOutputShape(shape));
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const { heads, keyHeads, headSize, frequencies, window } = this.args;
    const x = onlyInput(inputs);
    const maps = [this.q_proj, this.k_proj, this.v_proj].map((map) => applyTo(map, x));
    const scale = 1 / Math.sqrt(headSize);
    return applyTo(this.o_proj, causalAttention(maps, { heads, keyHeads, scale, window, frequencies }));
  }
}

/** One map's outputs, activated, times another's: [N, S, C] -> the same. Shazeer, arXiv 2002.05202. */
class FeedForward extends CompositeLayer {
  static readonly className = 'BergsonLlamaFeedForward';
  readonly gate_proj: Linear;
  readonly up_proj: Linear;
  readonly down_proj: Linear;

  constructor(private readonly args: LlamaBlockArgs) {
    const { width, innerWidth, innerBias: useBias } = args;
    const name = `${args.name}.mlp`;
    super({ name });
    this.gate_proj = new Linear({ name: `${name}.gate_proj`, units: innerWidth, useBias });
    this.up_proj = new Linear({ name: `${name}.up_proj`, units: innerWidth, useBias });
    this.down_proj = new Linear({ name: `${name}.down_proj`, units: width, useBias });
  }

  override build(shape: tf.Shape): void {
    this.gate_proj.build(shape);
    this.up_proj.build(shape);
    this.down_proj.build(this.up_proj.computeOutputShape(shape));
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const inner = gated(this.args.activation, applyTo(this.gate_proj, x), applyTo(this.up_proj, x));
    return applyTo(this.down_proj, inner);
  }
}

/** Attention and a feed-forward layer, each of the normalized input and added to it: [N, S, C] -> the same. */
class LlamaBlock extends CompositeLayer {
  static readonly className = 'BergsonLlamaBlock';
  readonly input_layernorm: RmsNorm;
  readonly self_attn: Attention;
  readonly post_attention_layernorm: RmsNorm;
  readonly mlp: FeedForward;

  constructor(private readonly args: LlamaBlockArgs) {
    const { name, epsilon } = args;
    super({ name });
    this.input_layernorm = new RmsNorm({ name: `${name}.input_layernorm`, epsilon });
    this.self_attn = new Attention(args);
    this.post_attention_layernorm = new RmsNorm({ name: `${name}.post_attention_layernorm`, epsilon });
    this.mlp = new FeedForward(args);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return preNorm(
      onlyInput(inputs),
      [this.input_layernorm, this.self_attn],
      [this.post_attention_layernorm, this.mlp],
    );
  }

  override getConfig(): tf.serialization.ConfigDict {
    return { ...super.getConfig(), ...this.args };
  }
}

tf.serialization.registerClass(LlamaBlock);

/** What the families built like Llama differ in. */
interface Family {
  readonly modelType: string;
  readonly biases: (config: ModelConfig) => {
    readonly queryKeyValueBias: boolean;
    readonly outputBias: boolean;
  };
  readonly window: (config: ModelConfig, layer: number) => number | null;
}

function familyOf({ modelType, biases, window }: Family): Architecture {
  return {
    modelType,
    prefix: 'model.',
    headName: 'lm_head',
    mapLayout: 'outputs first',
    tiesByDefault: false,

    build(config, ids) {
      const width = config.size('hidden_size');
      const heads = config.size('num_attention_heads');
      const headSize = config.size('head_dim', width / heads);
      const vocabularySize = config.size('vocab_size');
      const contextLength = config.size('max_position_embeddings');
      const epsilon = config.number('rms_norm_eps', 1e-6);
      const shared = {
        ...biases(config),
        width,
        heads,
        keyHeads: config.size('num_key_value_heads', heads),
        headSize,
        frequencies: rotaryFrequencies(config, headSize),
        innerWidth: config.size('intermediate_size'),
        innerBias: config.flag('mlp_bias', false),
        activation: readActivation(config, 'hidden_act', 'silu'),
        epsilon,
      };
      const windows = Array.from({ length: config.size('num_hidden_layers') }, (_, i) => window(config, i));

      const tokens = new TokenEmbedding({ name: 'embed_tokens', vocabularySize, width });
      const hidden = windows.reduce<tf.SymbolicTensor>(
        (x, window, i) => {
          const block = new LlamaBlock({ ...shared, name: `layers.${i}`, window });
          return block.apply(x) as tf.SymbolicTensor;
        },
        tokens.apply(ids) as tf.SymbolicTensor,
      );
      const final = new RmsNorm({ name: 'norm', epsilon });
      return { hidden: final.apply(hidden) as tf.SymbolicTensor, tokens, contextLength };
    },
  };
}

const slidingWindow = (config: ModelConfig) =>
  config.values.sliding_window == null ? null : config.size('sliding_window');

export const llama = familyOf({
  modelType: 'llama',
  biases(config) {
    const bias = config.flag('attention_bias', false);
    return { queryKeyValueBias: bias, outputBias: bias };
  },
  window: () => null,
});

export const mistral = familyOf({
  modelType: 'mistral',
  biases: () => ({ queryKeyValueBias: false, outputBias: false }),
  window: slidingWindow,
});

export const qwen2 = familyOf({
  modelType: 'qwen2',
  biases: () => ({ queryKeyValueBias: true, outputBias: false }),
  window: (config, layer) =>
    config.flag('use_sliding_window', false) && layer >= config.number('max_window_layers', 28)
      ? slidingWindow(config)
      : null,
});
