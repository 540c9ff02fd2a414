/** What a training of a language model is asked for. */
import type { ColumnOptions } from '../../lib/datasets/columns';
import type { ProjectionOptions } from '../../lib/projection';
import type { RowDtype } from '../../lib/store/format';

export interface TrainOptions extends Pick<ProjectionOptions, 'projectionDim'> {
  /** The run's directory: absent or empty. */
  readonly run: string;
  /** A folder in Hugging Face's format to go on from, or a file such as its `config.json` to make random weights by. */
  readonly model: { readonly folder: string } | { readonly config: string };
  readonly dataset: string;
  /** `tokenizer.json` or its folder. Default: what is beside the model. */
  readonly tokenizer?: string;
  readonly reading: ColumnOptions & {
    readonly split?: string;
    readonly longDocuments?: 'truncate' | 'chunk';
  };
  /** Tokens of an example at most. Default: what the model takes. */
  readonly contextLength?: number;
  readonly epochs: number;
  readonly batchSize: number;
  /** The highest, after the warm-up. */
  readonly learningRate: number;
  /** The share of the steps on which the rate rises. */
  readonly warmup: number;
  readonly weightDecay: number;
  /** Of random weights, of the order of examples, and of the projection. */
  readonly seed: number;
  /** Whether rows are divided by the optimizer's second moments. */
  readonly normalizer: 'adam' | 'none';
  readonly dtype: RowDtype;
  readonly index: boolean;
}
