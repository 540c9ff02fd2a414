/** Causal language models in Hugging Face's format, as tfjs models. */
import * as tf from '@tensorflow/tfjs';
import { findWeightedLayers } from '../capture/trained-layers';
import { ContextLengthError } from '../errors';
import { sparseCrossEntropy } from '../losses';
import type { Architecture } from './architecture';
import { findArchitecture } from './architectures';
import { Checkpoint } from './checkpoint';
import { Linear } from './layers/linear';
import { ModelConfig } from './model-config';
import { readWeights } from './weights';

/** The label of a token that has no loss. */
const NO_LOSS = -100;

/**
 * A language model: ids int32 [N, S] to logits float32 [N, S, V]. The paths of its layers are Hugging Face's names relative
 * to the base model (`h.0.attn.c_attn`); weights are float32. It is run as in evaluation, without dropout.
 */
export interface CausalLM {
  readonly model: tf.LayersModel;
  /** As in `config.json`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The longest sequence. */
  readonly contextLength: number;
  readonly vocabularySize: number;
  /** Paths of the base model's linear maps: what Bergson attributes. Neither embeddings nor the head are among them. */
  readonly linearMaps: readonly string[];
  /**
   * Cross-entropy of each token but the first, [N, S - 1]: of the logits at one position and the label at the next. Zero
   * where that label is -100. Sequences are padded on the right, with any ids and labels of -100; no mask is needed.
   *
   * @param ids int32 [N, S].
   * @param labels int32 [N, S]: mostly `ids` themselves.
   * @returns float32; the caller disposes it.
   * @throws ContextLengthError
   */
  readonly tokenLosses: (ids: tf.Tensor2D, labels: tf.Tensor2D) => tf.Tensor2D;
}

/**
 * Reads the model in `directory`: `config.json`, and `model.safetensors` or its index.
 * @throws UnknownArchitectureError, ModelConfigError, CheckpointError, InvalidSafetensorsError
 */
export async function loadCausalLM(directory: string): Promise<CausalLM> {
  const config = await ModelConfig.read(directory);
  const architecture = findArchitecture(config);
  const checkpoint = Checkpoint.open(directory);
  try {
    const lm = buildCausalLM(config, architecture);
    try {
      readWeights(lm.model, architecture, checkpoint);
    } catch (error) {
      lm.model.dispose();
      throw error;
    }
    return lm;
  } finally {
    checkpoint.close();
  }
}

/** The model with all weights as layers are built with: scales of one, all others zero. */
function buildCausalLM(config: ModelConfig, architecture: Architecture): CausalLM {
  const ids = tf.input({ shape: [null], dtype: 'int32', name: 'input_ids' });
  const isTied = config.flag('tie_word_embeddings', architecture.tiesByDefault);
  const { hidden, tokens, contextLength } = architecture.build(config, ids);
  const { vocabularySize } = tokens;
  const { headName } = architecture;
  const head = isTied ? tokens : new Linear({ name: headName, units: vocabularySize, useBias: false });
  const model = tf.model({ inputs: ids, outputs: head.apply(hidden) as tf.SymbolicTensor });
  const linearMaps = findWeightedLayers(model).flatMap(({ layer, path }) =>
    layer instanceof Linear && layer !== head ? [path] : [],
  );
  return {
    model,
    config: config.values,
    contextLength,
    vocabularySize,
    linearMaps,

    tokenLosses(ids, labels) {
      const [, length] = ids.shape;
      if (length > contextLength) throw new ContextLengthError(length, contextLength);
      return tf.tidy(() => nextTokenLosses(model.apply(ids) as tf.Tensor3D, labels));
    },
  };
}

/**
 * The losses [N, S - 1] of logits [N, S, V] at labels [N, S]. Labels move to where their logits are, since moving logits
 * would copy them.
 */
function nextTokenLosses(logits: tf.Tensor3D, labels: tf.Tensor2D): tf.Tensor2D {
  const [n, length] = labels.shape;
  const ignored = tf.scalar(NO_LOSS, 'int32');
  const next = tf.concat2d([labels.toInt().slice([0, 1]), tf.fill([n, 1], NO_LOSS, 'int32')], 1);
  const counts = tf.notEqual(next, ignored);
  const losses = sparseCrossEntropy(tf.where(counts, next, tf.zerosLike(next)), logits);
  return tf.slice2d(tf.mul(losses, tf.cast(counts, 'float32')), [0, 0], [n, length - 1]);
}
