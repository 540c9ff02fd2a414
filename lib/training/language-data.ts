/** A data set of texts as `model.fitDataset` takes it. */
import tf = require('@tensorflow/tfjs');
import { collate } from '../datasets/collate';
import type { TextDataset } from '../datasets/dataset';
import type { TokenizedExample } from '../datasets/tokenized-example';
import { InvalidOptionError } from '../errors';
import { shuffle } from './shuffle';

export interface LanguageDataOptions {
  /** Examples of a batch. */
  readonly batchSize: number;
  readonly seed: number;
  /** Of the model: ids of tokens are below it. */
  readonly vocabularySize: number;
  /** Which epoch the first pass is, for its order. Default: 0. */
  readonly firstEpoch?: number;
}

/**
 * For a model that `CausalLM.forTraining` made: in each epoch every example once, in a new order, in batches padded to their
 * longest; the last may be smaller. Each batch has its examples' ids, which a `GradientCollectorCallback` records.
 * @throws InvalidOptionError while it is read, if a token is not of the model's vocabulary
 */
export function languageData(
  dataset: TextDataset,
  { batchSize, seed, vocabularySize, firstEpoch = 0 }: LanguageDataOptions,
): tf.data.Dataset<tf.TensorContainer> {
  let epoch = firstEpoch;
  async function* batches(): AsyncGenerator<tf.TensorContainer> {
    let batch: TokenizedExample[] = [];
    for await (const example of shuffle(dataset.examples(), { seed, epoch: epoch++ })) {
      checkTokens(example, vocabularySize);
      batch.push(example);
      if (batch.length < batchSize) continue;
      yield toTensors(batch);
      batch = [];
    }
    if (batch.length > 0) yield toTensors(batch);
  }
  return tf.data.generator(batches);
}

function checkTokens({ id, inputIds }: TokenizedExample, vocabularySize: number): void {
  const beyond = inputIds.find((token) => token >= vocabularySize);
  if (beyond === undefined) return;
  const found = `one whose token ${beyond} is in example ${id}`;
  throw new InvalidOptionError('tokenizer', found, `of at most the model's ${vocabularySize} tokens`);
}

function toTensors(examples: readonly TokenizedExample[]): tf.TensorContainer {
  const { ids, inputIds, labels, shape } = collate(examples);
  const tokens = (values: Int32Array) => tf.tensor2d(values, [...shape], 'int32');
  return {
    xs: [tokens(inputIds), tokens(labels)],
    ys: tf.zeros([examples.length, 1]),
    exampleId: tf.tensor1d(ids, 'int32'),
  };
}
