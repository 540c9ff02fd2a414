/** Batches of about equal cost. */
import { InvalidOptionError } from '../errors';

/** How batches are made. */
export interface TokenBatching {
  /** Tokens of a batch at most, padding included. An example that is longer is a batch by itself. */
  readonly tokenBudget: number;
  /** Examples looked at together, to put those of like length in one batch. Default: 2,048, or a quarter of the budget. */
  readonly window?: number;
}

const LEAST_WINDOW = 2048;

/**
 * Examples in batches, each example in exactly one. Of every `window` examples the longest come first, so that little is
 * padded and a batch too large for memory shows at once; ids stay those of the data set. Memory holds the window.
 *
 * @throws InvalidOptionError
 */
export async function* batchByTokens<T extends { readonly inputIds: { readonly length: number } }>(
  examples: AsyncIterable<T>,
  { tokenBudget, window = Math.max(LEAST_WINDOW, Math.ceil(tokenBudget / 4)) }: TokenBatching,
): AsyncGenerator<T[]> {
  if (!Number.isInteger(tokenBudget) || tokenBudget < 1)
    throw new InvalidOptionError('tokenBudget', tokenBudget, 'a whole number of at least 1');
  if (!Number.isInteger(window) || window < 1)
    throw new InvalidOptionError('window', window, 'a whole number of at least 1');
  let held: T[] = [];
  for await (const example of examples) {
    held.push(example);
    if (held.length < window) continue;
    const batches = pack(held, tokenBudget);
    // The last batch may have room for examples of the next window, if it is not all there is.
    held = batches.length > 1 ? (batches.pop() ?? []) : [];
    yield* batches;
  }
  yield* pack(held, tokenBudget);
}

/** Examples by descending length, as many to a batch as the budget takes of the longest in it. */
function pack<T extends { readonly inputIds: { readonly length: number } }>(
  examples: readonly T[],
  tokenBudget: number,
): T[][] {
  const batches: T[][] = [];
  let room = 0;
  for (const example of [...examples].sort((a, b) => b.inputIds.length - a.inputIds.length)) {
    if (room === 0) {
      batches.push([]);
      room = Math.max(1, Math.floor(tokenBudget / Math.max(1, example.inputIds.length)));
    }
    batches.at(-1)?.push(example);
    room--;
  }
  return batches;
}
