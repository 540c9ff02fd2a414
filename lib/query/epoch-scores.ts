/** How the influence of examples changed over training: their scores in each epoch's store. */
import type { Run } from '../run/run';
import { epochOfStore } from '../run/run-paths';
import { layerNumbers } from '../search/exact';
import type { SearchOptions } from '../search/gradient-index';
import { columnOffsets } from '../store/format';
import { GradientStoreReader } from '../store/reader';
import { layerScores, normOver } from './layer-scores';

/** What an example's gradient in one epoch scores. */
export interface EpochScore {
  readonly epoch: number;
  /** Null where that epoch never came to the example. */
  readonly score: number | null;
}

/**
 * The scores of `examples` for `query` [width] in each epoch's store that `run` holds, epochs in order: by example. The
 * query is the same throughout, a gradient of the model as it is; what changes is the examples' own.
 */
export function epochScores(
  run: Run,
  query: Float32Array,
  examples: readonly number[],
  { layers, unitNorm = false }: Omit<SearchOptions, 'k'> = {},
): Map<number, EpochScore[]> {
  const found = new Map<number, EpochScore[]>(examples.map((example) => [example, []]));
  for (const name of run.stores) {
    const epoch = epochOfStore(name);
    if (epoch === undefined) continue;
    const store = GradientStoreReader.open(run.storeDirectory(name));
    try {
      const offsets = columnOffsets(store.layout);
      const chosen = layers === undefined ? store.columns.map((_, i) => i) : layerNumbers(store, layers);
      for (const [example, scores] of found) {
        const row = store.isWritten(example) ? store.row(example) : undefined;
        if (row === undefined) {
          scores.push({ epoch, score: null });
          continue;
        }
        const byLayer = layerScores(query, row, offsets);
        const score = chosen.reduce((sum, layer) => sum + (byLayer[layer] ?? 0), 0);
        scores.push({ epoch, score: unitNorm ? score / normOver(row, offsets, chosen) : score });
      }
    } finally {
      store.close();
    }
  }
  return found;
}
