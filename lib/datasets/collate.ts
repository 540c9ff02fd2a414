/** Examples side by side in one batch. */
import { NO_LOSS } from './document';
import type { TokenizedExample } from './tokenized-example';

/** A batch of N examples, padded on the right to the longest of them, S tokens. */
export interface TokenBatch {
  /** [N]: which examples these are. */
  readonly ids: Int32Array;
  /** [N * S], row-major; 0 where padded. */
  readonly inputIds: Int32Array;
  /** [N * S], row-major: `NO_LOSS` where the loss does not count, as where padded. */
  readonly labels: Int32Array;
  /** [N]: by what each example's loss is multiplied, its advantage or 1. */
  readonly weights: Float32Array;
  readonly shape: readonly [number, number];
}

/** Examples padded on the right. In a causal model padding there needs no mask. */
export function collate(examples: readonly TokenizedExample[]): TokenBatch {
  const longest = examples.reduce((length, { inputIds }) => Math.max(length, inputIds.length), 0);
  const inputIds = new Int32Array(examples.length * longest);
  const labels = new Int32Array(examples.length * longest).fill(NO_LOSS);
  for (const [n, example] of examples.entries()) {
    inputIds.set(example.inputIds, n * longest);
    labels.set(example.labels, n * longest);
  }
  return {
    ids: Int32Array.from(examples, ({ id }) => id),
    inputIds,
    labels,
    weights: Float32Array.from(examples, ({ weight }) => weight ?? 1),
    shape: [examples.length, longest],
  };
}
