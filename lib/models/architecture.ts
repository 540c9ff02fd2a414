/** What a kind of language model is: one file each, listed in `architectures.ts`. */
import type * as tf from '@tensorflow/tfjs';
import type { TokenEmbedding } from './layers/token-embedding';
import type { ModelConfig } from './model-config';

export interface Architecture {
  /** `model_type` in `config.json`. */
  readonly modelType: string;
  /** What Hugging Face's files put before the names of the base model's weights. */
  readonly prefix: string;
  /** The output head's name, outside the base model. */
  readonly headName: string;
  /** How the files keep linear maps. */
  readonly mapLayout: 'inputs first' | 'outputs first';
  /** Whether the head is the token embedding, where the configuration does not say. */
  readonly tiesByDefault: boolean;
  /**
   * The model but for its head: symbolic ids [N, S] to the vectors [N, S, C] that the head is applied to, in layers of
   * which the names, and the paths inside them, are Hugging Face's. @throws ModelConfigError, before any layer has weights
   */
  build(config: ModelConfig, ids: tf.SymbolicTensor): BaseModel;
}

export interface BaseModel {
  readonly hidden: tf.SymbolicTensor;
  readonly tokens: TokenEmbedding;
  readonly contextLength: number;
}
