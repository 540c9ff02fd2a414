/** Causal language models in Hugging Face's format, as tfjs models. */
import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { findWeightedLayers } from '../capture/trained-layers';
import { ContextLengthError } from '../errors';
import { guardWrite } from '../store/disk';
import type { Architecture } from './architecture';
import { findArchitecture } from './architectures';
import { Checkpoint } from './checkpoint';
import { ExampleLoss, nextTokenLosses, type LossReduction } from './layers/example-loss';
import { Linear } from './layers/linear';
import { addAdapter, saveAdapter } from './lora';
import { ModelConfig } from './model-config';
import { initializeWeights, readWeights, storedWeights, writeWeights, type WeightDtype } from './weights';

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
  /** Paths of the linear maps of the base model that are trained: what Bergson attributes. Neither embeddings nor the head are among them. */
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
  /**
   * The same layers as a model for `fit`: [ids, labels], each [N, S], to each example's loss [N, 1], the mean (default) or the
   * sum over its tokens. It is compiled so that `fit` takes those for the losses, whatever its targets: pass zeros [N, 1].
   */
  readonly forTraining: (optimizer: tf.Optimizer, reduction?: LossReduction) => tf.LayersModel;
  /**
   * Writes `config.json` and `model.safetensors` into `directory`, as Hugging Face reads them; of a model with an adapter the
   * adapter alone, as PEFT reads it: `adapter_config.json` and `adapter_model.safetensors`. Default: float32, which keeps every
   * bit. One tensor at a time is in memory. @throws WeightOverflowError if a weight is beyond `dtype`; DiskWriteError
   */
  readonly save: (directory: string, dtype?: WeightDtype) => void;
}

/**
 * Reads the model in `directory`: `config.json`, and `model.safetensors` or its index. `adapter` is the directory of one in
 * PEFT's format, LoRA: then its maps alone are trained and attributed, as `h.0.attn.c_attn.lora_A` and `.lora_B`.
 * @throws UnknownArchitectureError, ModelConfigError, CheckpointError, InvalidSafetensorsError
 */
export async function loadCausalLM(
  directory: string,
  { adapter }: { readonly adapter?: string } = {},
): Promise<CausalLM> {
  const config = await ModelConfig.read(directory);
  const architecture = findArchitecture(config);
  const checkpoint = Checkpoint.open(directory);
  try {
    const lm = buildCausalLM(config, architecture);
    try {
      readWeights(storedWeights(lm.model, architecture), checkpoint, architecture.prefix);
      if (adapter === undefined) return lm;
      const added = await addAdapter(lm.model, architecture, adapter);
      return Object.assign(lm, {
        save(directory: string, dtype: WeightDtype = 'float32') {
          createDirectory(directory);
          saveAdapter(added, directory, dtype);
        },
      });
    } catch (error) {
      lm.model.dispose();
      throw error;
    }
  } finally {
    checkpoint.close();
  }
}

/**
 * A model of random weights, as Hugging Face draws them: matrices normal with standard deviation `initializer_range` (0.02),
 * scales one, all else zero. `config` is what `config.json` would hold. @throws UnknownArchitectureError, ModelConfigError
 */
export function createCausalLM(config: Readonly<Record<string, unknown>>, seed = 0): CausalLM {
  const checked = new ModelConfig('config', config);
  const lm = buildCausalLM(checked, findArchitecture(checked));
  initializeWeights(lm.model, checked.number('initializer_range', 0.02), seed);
  return lm;
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
  return {
    model,
    config: config.values,
    contextLength,
    vocabularySize,

    get linearMaps() {
      return findWeightedLayers(model).flatMap(({ layer, path, trained }) =>
        layer instanceof Linear && layer !== head && trained.size > 0 ? [path] : [],
      );
    },

    tokenLosses(ids, labels) {
      const [, length] = ids.shape;
      if (length > contextLength) throw new ContextLengthError(length, contextLength);
      return tf.tidy(() => nextTokenLosses(model.apply(ids) as tf.Tensor3D, labels));
    },

    forTraining(optimizer, reduction = 'mean') {
      const labels = tf.input({ shape: [null], dtype: 'int32', name: 'labels' });
      const loss = new ExampleLoss({ name: 'loss', reduction });
      const losses = loss.apply([model.outputs[0] as tf.SymbolicTensor, labels]) as tf.SymbolicTensor;
      const training = tf.model({ inputs: [ids, labels], outputs: losses });
      training.compile({ optimizer, loss: (_targets: tf.Tensor, losses: tf.Tensor) => losses });
      return training;
    },

    save(directory, dtype = 'float32') {
      createDirectory(directory);
      writeWeights(storedWeights(model, architecture), path.join(directory, 'model.safetensors'), dtype);
      // Earlier files have the dtype in `torch_dtype`, and what reads them looks for it there.
      config
        .with({ [config.values.torch_dtype === undefined ? 'dtype' : 'torch_dtype']: dtype })
        .write(directory);
    },
  };
}

function createDirectory(directory: string): void {
  guardWrite(directory, 0, () => fs.mkdirSync(directory, { recursive: true }));
}
