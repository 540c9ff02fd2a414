/** GPT-2 out of tfjs's layers, under the names its weights have in Hugging Face's files. Radford et al., 2019. */
import * as tf from '@tensorflow/tfjs';
import { SafetensorsFile } from '../../lib/store/safetensors';
import { applyTo, CompositeLayer, onlyInput } from './composite-layer';
import { joinHeads, splitHeads } from './multi-head-attention';

/** What of Hugging Face's `config.json` shapes the model. */
export interface Gpt2Config {
  readonly n_embd: number;
  readonly n_head: number;
  readonly n_layer: number;
  readonly n_positions: number;
  readonly vocab_size: number;
  readonly layer_norm_epsilon: number;
}

/** Causal self-attention whose query, key and value are the outputs of one map: [N, S, C] -> the same. */
class Attention extends CompositeLayer {
  static readonly className = 'SpecGpt2Attention';
  readonly c_attn: tf.layers.Layer;
  readonly c_proj: tf.layers.Layer;

  constructor(private readonly config: Gpt2Config) {
    super({});
    this.c_attn = tf.layers.dense({ units: 3 * config.n_embd });
    this.c_proj = tf.layers.dense({ units: config.n_embd });
  }

  override build(shape: tf.Shape): void {
    this.c_attn.build(shape);
    this.c_proj.build(shape);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const { n_embd: width, n_head: heads } = this.config;
    const [query, key, value] = tf
      .split(applyTo(this.c_attn, onlyInput(inputs)), 3, 2)
      .map((each) => splitHeads(each, heads)) as [tf.Tensor, tf.Tensor, tf.Tensor];
    const scores = tf.matMul(query, key, false, true).div(Math.sqrt(width / heads)); // [N, heads, S, S]
    const weights = tf.softmax(scores.add(laterPositions(scores.shape[3] ?? 0).mul(-1e9)));
    return applyTo(this.c_proj, joinHeads(tf.matMul(weights, value)));
  }
}

/** [S, S]: one where the column lies after the row. */
function laterPositions(positions: number): tf.Tensor {
  const index = tf.range(0, positions);
  return index.expandDims(0).greater(index.expandDims(1)).toFloat();
}

/** [N, S, C] -> the same. */
class FeedForward extends CompositeLayer {
  static readonly className = 'SpecGpt2FeedForward';
  readonly c_fc: tf.layers.Layer;
  readonly c_proj: tf.layers.Layer;

  constructor({ n_embd: width }: Gpt2Config) {
    super({});
    this.c_fc = tf.layers.dense({ units: 4 * width, activation: 'gelu_new' });
    this.c_proj = tf.layers.dense({ units: width });
  }

  override build(shape: tf.Shape): void {
    this.c_fc.build(shape);
    this.c_proj.build(this.c_fc.computeOutputShape(shape));
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return applyTo(this.c_proj, applyTo(this.c_fc, onlyInput(inputs)));
  }
}

/** [N, S, C] -> the same. */
class Block extends CompositeLayer {
  static readonly className = 'SpecGpt2Block';
  readonly ln_1: tf.layers.Layer;
  readonly attn: Attention;
  readonly ln_2: tf.layers.Layer;
  readonly mlp: FeedForward;

  constructor(config: Gpt2Config) {
    super({});
    this.ln_1 = tf.layers.layerNormalization({ epsilon: config.layer_norm_epsilon });
    this.attn = new Attention(config);
    this.ln_2 = tf.layers.layerNormalization({ epsilon: config.layer_norm_epsilon });
    this.mlp = new FeedForward(config);
  }

  override build(shape: tf.Shape): void {
    for (const layer of [this.ln_1, this.attn, this.ln_2, this.mlp]) layer.build(shape);
    this.built = true;
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    const x = onlyInput(inputs);
    const attended = x.add(applyTo(this.attn, applyTo(this.ln_1, x)));
    return attended.add(applyTo(this.mlp, applyTo(this.ln_2, attended)));
  }
}

/** Ids [N, S] -> logits [N, S, vocabulary], the output head being the token embedding. */
class Transformer extends CompositeLayer {
  static readonly className = 'SpecGpt2';
  readonly wte: tf.layers.Layer;
  readonly wpe: tf.layers.Layer;
  readonly h: Block[];
  readonly ln_f: tf.layers.Layer;

  constructor(private readonly config: Gpt2Config) {
    super({ name: 'transformer' });
    const { n_embd: outputDim, vocab_size, n_positions } = config;
    this.wte = tf.layers.embedding({ inputDim: vocab_size, outputDim });
    this.wpe = tf.layers.embedding({ inputDim: n_positions, outputDim });
    this.h = Array.from({ length: config.n_layer }, () => new Block(config));
    this.ln_f = tf.layers.layerNormalization({ epsilon: config.layer_norm_epsilon });
  }

  override build(shape: tf.Shape): void {
    this.wte.build(shape);
    this.wpe.build(shape);
    for (const layer of [...this.h, this.ln_f]) layer.build([...shape, this.config.n_embd]);
    this.built = true;
  }

  override computeOutputShape(shape: tf.Shape): tf.Shape {
    return [...shape, this.config.vocab_size];
  }

  override call(inputs: tf.Tensor | tf.Tensor[]): tf.Tensor {
    return tf.tidy(() => {
      const ids = onlyInput(inputs);
      const [n, s] = ids.shape as [number, number];
      const positions = tf.range(0, s).expandDims(0).tile([n, 1]);
      const embedded = applyTo(this.wte, ids).add(applyTo(this.wpe, positions));
      const hidden = applyTo(
        this.ln_f,
        this.h.reduce((x, block) => applyTo(block, x), embedded),
      );
      const head = this.wte.trainableWeights[0]?.read() as tf.Tensor2D;
      const logits = tf.matMul(hidden.reshape([n * s, -1]), head, false, true);
      return logits.reshape([n, s, this.config.vocab_size]);
    });
  }
}

/** The model of `config`, from ids [N, S] to logits [N, S, vocabulary], with the weights in a safetensors file. */
export function loadGpt2(config: Gpt2Config, file: string): tf.LayersModel {
  const input = tf.input({ shape: [config.n_positions] });
  const transformer = new Transformer(config);
  const model = tf.model({ inputs: input, outputs: transformer.apply(input) as tf.SymbolicTensor });
  const weights = SafetensorsFile.open(file);
  const read = (layer: tf.layers.Layer, ...names: string[]) => {
    const tensors = names.map((name) => {
      const { data, shape } = weights.read(`transformer.${name}`);
      return tf.tensor(data as Float32Array, [...shape]);
    });
    layer.setWeights(tensors);
    tf.dispose(tensors);
  };
  // Maps are kept [in, out] there, as tfjs keeps them.
  const affine = (layer: tf.layers.Layer, name: string) => {
    read(layer, `${name}.weight`, `${name}.bias`);
  };
  read(transformer.wte, 'wte.weight');
  read(transformer.wpe, 'wpe.weight');
  transformer.h.forEach((block, i) => {
    affine(block.ln_1, `h.${i}.ln_1`);
    affine(block.attn.c_attn, `h.${i}.attn.c_attn`);
    affine(block.attn.c_proj, `h.${i}.attn.c_proj`);
    affine(block.ln_2, `h.${i}.ln_2`);
    affine(block.mlp.c_fc, `h.${i}.mlp.c_fc`);
    affine(block.mlp.c_proj, `h.${i}.mlp.c_proj`);
  });
  affine(transformer.ln_f, 'ln_f');
  weights.close();
  return model;
}
