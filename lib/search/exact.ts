/** Exact search: every row of the store against every query, in one pass over the file. */
import { UnknownColumnError } from '../errors';
import { columnOffsets } from '../store/format';
import type { GradientStoreReader } from '../store/reader';
import { checkSearch, type GradientIndex, type Neighbors, type SearchOptions } from './gradient-index';
import { innerProducts, type ColumnRange } from './inner-products';
import { TopK } from './top-k';

/** Searches a store as it is; nothing to build. Does not close the reader it is given. */
export class ExactIndex implements GradientIndex {
  readonly engine = 'exact';
  readonly rows: number;

  constructor(private readonly store: GradientStoreReader) {
    this.rows = store.rowsWritten;
  }

  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]> {
    const { store } = this;
    checkSearch(queries, options, this.rows, store.width);
    const ranges = columnRanges(store, options.layers);
    const divisors = options.unitNorm ? rowNorms(store, options.layers) : undefined;
    const wide = queries.map((query) => Float64Array.from(query));
    const heaps = queries.map(() => ({ high: new TopK(options.k, 1), low: new TopK(options.k, -1) }));
    let scores = new Float64Array(0);
    for (const { first, count, rows } of store.blocks()) {
      if (scores.length < queries.length * count) scores = new Float64Array(queries.length * count);
      innerProducts(rows, count, store.width, wide, ranges, scores);
      heaps.forEach(({ high, low }, query) => {
        for (let row = 0; row < count; row++) {
          const example = first + row;
          if (!store.isWritten(example)) continue;
          const score = divide(scores[query * count + row] ?? 0, divisors?.[example]);
          high.push(example, score);
          low.push(example, score);
        }
      });
      await nextTurn(); // a long scan must not hold up everything else in the process
    }
    return heaps.map(({ high, low }) => ({ highest: high.sorted(), lowest: low.sorted() }));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/** The scores of `examples` (rows of `store`) for one `query` [width]: [n], as exact search gives them. */
export function scoreExamples(
  store: GradientStoreReader,
  query: Float32Array,
  examples: readonly number[],
  unitNorm = false,
): Float64Array {
  const scores = new Float64Array(examples.length);
  const ranges = columnRanges(store);
  innerProducts(
    store.readRows(examples),
    examples.length,
    store.width,
    [Float64Array.from(query)],
    ranges,
    scores,
  );
  if (!unitNorm) return scores;
  const norms = store.norms().rows;
  return scores.map((score, i) => divide(score, norms[examples[i] ?? 0]));
}

/** The columns of `layers`, or all of them. Throws {@link UnknownColumnError}. */
function columnRanges(store: GradientStoreReader, layers?: readonly string[]): ColumnRange[] {
  if (!layers) return [{ begin: 0, end: store.width }];
  const offsets = columnOffsets(store.layout);
  return layerNumbers(store, layers).map((layer) => ({
    begin: offsets[layer] ?? 0,
    end: offsets[layer + 1] ?? 0,
  }));
}

/**
 * Positions among the store's of `layers`, each with its parts such as heads, ascending and each once, so that their
 * order cannot matter.
 */
export function layerNumbers(store: GradientStoreReader, layers: readonly string[]): number[] {
  const names = store.columns.map(({ layer }) => layer);
  const numbers = layers.flatMap((layer) => {
    const found = names.flatMap((name, i) => (name === layer || name.startsWith(`${layer}.`) ? [i] : []));
    if (found.length === 0) throw new UnknownColumnError(layer, names);
    return found;
  });
  return [...new Set(numbers)].sort((a, b) => a - b);
}

/** Norms of all rows over the columns of `layers`: [rows]. */
function rowNorms(store: GradientStoreReader, layers?: readonly string[]): ArrayLike<number> {
  const norms = store.norms();
  if (!layers) return norms.rows;
  const numbers = layerNumbers(store, layers);
  const count = store.columns.length;
  return Float64Array.from({ length: store.rows }, (_, row) =>
    Math.hypot(...numbers.map((layer) => norms.layers[row * count + layer] ?? 0)),
  );
}

function divide(score: number, norm: number | undefined): number {
  if (norm === undefined) return score;
  return norm === 0 ? 0 : score / norm;
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
