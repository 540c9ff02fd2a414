/** GPT-Neo: GPT-2 with separate maps, no scaling of products, and every other layer looking back a window. Black et al., 2021. */
import tf = require('@tensorflow/tfjs');
import type { Architecture } from './architecture';
import { Gpt2FeedForward } from './gpt2';
import { readActivation, type ActivationName } from './layers/activation';
import { causalAttention } from './layers/causal-attention';
import { applyTo, CompositeLayer, onlyInput } from './layers/composite-layer';
import { LayerNorm } from './layers/layer-norm';
import { Linear } from './layers/linear';
import { PositionEmbedding } from './layers/position-embedding';
import { preNorm } from './layers/pre-norm';
import { TokenEmbedding } from './layers/token-embedding';
import type { ModelConfig } from './model-config';

interface GptNeoBlockArgs extends tf.serialization.ConfigDict {
  readonly name: string;
  readonly width: number;
  readonly heads: number;
  /** How far a position looks back; null: to the beginning. */
  readonly window: number | null;
  readonly innerWidth: number;
  readonly activation: ActivationName;
  readonly epsilon: number;
}

/** [N, S, C] -> the same. */
class Attention extends CompositeLayer {
  static readonly className = 'BergsonGptNeoAttention';
  readonly q_proj: Linear;
  readonly k_proj: Linear;
  readonly v_proj: Linear;
  readonly out_proj: Linear;

  constructor(private readonly args: GptNeoBlockArgs) {
    const name = `${args.name}.attn.attention`;
    super({ name });
    const linear = (map: string, useBias: boolean) =>
      new Linear({ name: `${name}.${map}`, units: args.width, useBias });
    this.q_proj = linear('q_proj', false);
    this.k_proj = linear('k_proj', false);
    this.v_proj = linear('v_proj', false);
    this.out_proj = linear('out_proj', true);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const { heads, window } = this.args;
    const x = onlyInput(inputs);
    const maps = [this.q_proj, this.k_proj, this.v_proj].map((map) => applyTo(map, x));
    return applyTo(this.out_proj, causalAttention(maps, { heads, scale: 1, window }));
  }
}

/** Hugging Face has the attention inside another layer: `attn.attention`. */
class AttentionOfEitherKind extends CompositeLayer {
  static readonly className = 'BergsonGptNeoAttentionOfEitherKind';
  readonly attention: Attention;

  constructor(args: GptNeoBlockArgs) {
    super({ name: `${args.name}.attn` });
    this.attention = new Attention(args);
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return applyTo(this.attention, onlyInput(inputs));
  }
}

/** Attention and a feed-forward layer, each of the normalized input and added to it: [N, S, C] -> the same. */
class GptNeoBlock extends CompositeLayer {
  static readonly className = 'BergsonGptNeoBlock';
  readonly ln_1: LayerNorm;
  readonly attn: AttentionOfEitherKind;
  readonly ln_2: LayerNorm;
  readonly mlp: Gpt2FeedForward;

  constructor(private readonly args: GptNeoBlockArgs) {
    const { name, epsilon } = args;
    super({ name });
    this.ln_1 = new LayerNorm({ name: `${name}.ln_1`, epsilon });
    this.attn = new AttentionOfEitherKind(args);
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

tf.serialization.registerClass(GptNeoBlock);

export const gptNeo: Architecture = {
  modelType: 'gpt_neo',
  prefix: 'transformer.',
  headName: 'lm_head',
  mapLayout: 'outputs first',
  tiesByDefault: true,

  build(config, ids) {
    const width = config.size('hidden_size');
    const contextLength = config.size('max_position_embeddings');
    const vocabularySize = config.size('vocab_size');
    const epsilon = config.number('layer_norm_epsilon', 1e-5);
    const window = config.size('window_size', 256);
    const shared = {
      width,
      heads: config.size('num_heads'),
      innerWidth: config.size('intermediate_size', 4 * width),
      activation: readActivation(config, 'activation_function', 'gelu_new'),
      epsilon,
    };
    const kinds = attentionKinds(config);

    const tokens = new TokenEmbedding({ name: 'wte', vocabularySize, width });
    const embedded = new PositionEmbedding({ name: 'wpe', contextLength }).apply(tokens.apply(ids));
    const hidden = kinds.reduce((x, kind, i) => {
      const block = new GptNeoBlock({ ...shared, name: `h.${i}`, window: kind === 'local' ? window : null });
      return block.apply(x) as tf.SymbolicTensor;
    }, embedded as tf.SymbolicTensor);
    const normalized = new LayerNorm({ name: 'ln_f', epsilon }).apply(hidden) as tf.SymbolicTensor;
    return { hidden: normalized, tokens, contextLength };
  },
};

/** Of each layer: `attention_types` lists sequences of kinds and how often each is repeated. @throws ModelConfigError */
function attentionKinds(config: ModelConfig): ('global' | 'local')[] {
  const field = 'attention_types';
  const layers = config.size('num_layers');
  const expected = `a list of [["global" or "local", …], repetitions] that makes ${layers} layers`;
  const types = config.values[field];
  if (!Array.isArray(types)) return config.refuse(field, expected);
  const kinds = (types as unknown[]).flatMap((entry): unknown[] => {
    const [sequence, repetitions] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (!Array.isArray(sequence) || typeof repetitions !== 'number') return [undefined];
    return Array.from({ length: repetitions }, () => sequence as unknown[]).flat();
  });
  const isKind = (kind: unknown) => kind === 'global' || kind === 'local';
  return kinds.length === layers && kinds.every(isKind) ? kinds : config.refuse(field, expected);
}
