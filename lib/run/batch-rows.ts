/** Where in a store the rows of a batch go, and what they are. */
import tf = require('@tensorflow/tfjs');
import { BatchAxisError, TokenGradientError } from '../errors';
import type { CollectedGradients, GradientCollector } from '../gradient-collector';
import type { TokenOffsets } from '../store/token-offsets';
import type { LossBatch } from './loss-batch';

/** The rows of the store that a batch has, and, if they are tokens', how many each of its examples has. */
export interface BatchPlaces {
  readonly rows: Int32Array;
  readonly counts: readonly number[] | null;
}

/** A row for each example, or for each of its tokens where `tokens` says which. */
export function placesOf(ids: Int32Array, tokens: TokenOffsets | undefined): BatchPlaces {
  if (tokens === undefined) return { rows: ids, counts: null };
  const ranges = Array.from(ids, (id) => tokens.rowsOf(id));
  const rows = ranges.flatMap(([first, end]) => Array.from({ length: end - first }, (_, i) => first + i));
  return { rows: Int32Array.from(rows), counts: ranges.map(([first, end]) => end - first) };
}

/**
 * The gradients of a batch as rows [n, width], in the order of its places. `collector` collects those of examples, or
 * of tokens if the places are theirs.
 * @throws NoGradientError, BatchAxisError, TokenGradientError
 */
export async function batchRows(
  collector: GradientCollector,
  { ids, loss: body }: LossBatch,
  { counts }: BatchPlaces,
): Promise<Float32Array> {
  const { loss, gradients } = collector.run(body);
  loss.dispose();
  try {
    if (counts === null) checkExamples(gradients, ids.length);
    const positions = counts === null ? 1 : positionsOf(gradients, counts);
    const rows = await collector.rows(gradients, ids.length * positions);
    return counts === null ? rows : firstPositions(rows, counts, positions);
  } finally {
    tf.dispose([...gradients.values()]);
  }
}

function checkExamples(gradients: CollectedGradients, examples: number): void {
  for (const [path, { shape }] of gradients) {
    if (shape[0] !== examples) throw new BatchAxisError(path, shape, examples);
  }
}

/** How many positions every example of the batch has, padding included. */
function positionsOf(gradients: CollectedGradients, counts: readonly number[]): number {
  const needed = Math.max(...counts);
  const positions = Math.max(...Array.from(gradients.values(), ({ shape }) => shape[0])) / counts.length;
  for (const [path, { shape }] of gradients) {
    const own = shape[0] / counts.length;
    if (own === positions && own >= needed) continue;
    throw new TokenGradientError(
      path,
      `has ${own} positions where ${Math.max(needed, positions)} are tokens`,
    );
  }
  return positions;
}

/** Of rows [n, positions, width] the first `counts` [n] of each example. */
function firstPositions(rows: Float32Array, counts: readonly number[], positions: number): Float32Array {
  const width = rows.length / (counts.length * positions);
  const kept = new Float32Array(counts.reduce((sum, count) => sum + count, 0) * width);
  let end = 0;
  counts.forEach((count, example) => {
    const start = example * positions * width;
    kept.set(rows.subarray(start, start + count * width), end);
    end += count * width;
  });
  return kept;
}
