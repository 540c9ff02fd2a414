/** Batches of a causal language model's losses. */
import tf = require('@tensorflow/tfjs');
import { batchByTokens } from '../datasets/batch-by-tokens';
import { collate } from '../datasets/collate';
import { NO_LOSS } from '../datasets/document';
import type { TokenizedExample } from '../datasets/tokenized-example';
import type { CausalLM } from '../models/causal-lm';
import type { LossBatch } from '../run/loss-batch';

export interface LanguageBatchOptions {
  /** Tokens of a batch at most, padding included; longer examples are batches by themselves. */
  readonly tokenBatchSize: number;
  /** Whether an example's loss is the sum over its tokens that count, or their mean. */
  readonly lossReduction: 'sum' | 'mean';
}

/**
 * Examples in batches of like length. An example's loss is multiplied by its weight, which for an advantage may be
 * negative. The batches' tensors are made when their loss is asked for.
 */
export async function* languageBatches(
  lm: CausalLM,
  examples: AsyncIterable<TokenizedExample>,
  { tokenBatchSize, lossReduction }: LanguageBatchOptions,
): AsyncGenerator<LossBatch> {
  for await (const batch of batchByTokens(examples, { tokenBudget: tokenBatchSize })) {
    yield languageBatch(lm, batch, lossReduction);
  }
}

/** One batch, padded on the right to its longest example. */
export function languageBatch(
  lm: CausalLM,
  examples: readonly TokenizedExample[],
  lossReduction: 'sum' | 'mean',
): LossBatch {
  const { ids, inputIds, labels, weights, shape } = collate(examples);
  const factors = Float32Array.from(
    examples,
    (example, n) => (weights[n] ?? 1) / (lossReduction === 'mean' ? tokensThatCount(example) : 1),
  );
  return {
    ids,
    loss: () =>
      tf.tidy(() => {
        const [size, length] = shape;
        const tokens = (values: Int32Array) => tf.tensor2d(values, [size, length], 'int32');
        const losses = lm.tokenLosses(tokens(inputIds), tokens(labels)); // [N, S - 1]
        return losses.mul(tf.tensor2d(factors, [size, 1])).sum<tf.Scalar>();
      }),
    dispose: () => undefined,
  };
}

/** Of how many tokens the loss is. The first is predicted by none. */
function tokensThatCount({ labels }: TokenizedExample): number {
  return labels.reduce((count, label, i) => count + (i > 0 && label !== NO_LOSS ? 1 : 0), 0);
}
