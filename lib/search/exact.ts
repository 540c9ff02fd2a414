/**
 * Exact search. Every row is scored in float32 with a bound of what that may be off (kernels/scan/margin.ts); rows that
 * may be among the best or worst are then scored in float64, which decides.
 */
import type { ColumnRange } from '../../kernels/scan/column-ranges';
import { bestScanKernel, type ScanKernel } from '../../kernels/scan/open-scanner';
import { UnknownColumnError } from '../errors';
import { columnOffsets } from '../store/format';
import type { GradientStoreReader } from '../store/reader';
import { exactScores, type Scoring } from './exact-scores';
import { checkSearch, type GradientIndex, type Neighbors, type SearchOptions } from './gradient-index';
import { mergeCandidates, rankExactly } from './ranking';
import { ScanThreads } from './scan-threads';

/** Queries of one pass: what a thread keeps of them is no more than this, in bytes, and hits have room. */
const QUERY_BYTES = 64 * 1024 * 1024;
const MOST_QUERIES = 128;

/** How rows are scanned. */
export interface ScanOptions {
  /** Threads that scan: 0 for the calling one alone. Default: as many as there are processors, where that is worth it. */
  readonly threads?: number;
  /** Default: the addon's where it is built, else WebAssembly. */
  readonly kernel?: ScanKernel;
}

/** Searches a store as it is; nothing to build. Does not close the reader it is given. */
export class ExactIndex implements GradientIndex {
  readonly engine = 'exact';
  readonly rows: number;
  private readonly threads: ScanThreads;
  private readonly kernel: ScanKernel;

  constructor(
    private readonly store: GradientStoreReader,
    { threads, kernel = bestScanKernel() }: ScanOptions = {},
  ) {
    this.rows = store.rowsWritten;
    this.threads = new ScanThreads(threads);
    this.kernel = kernel;
  }

  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]> {
    checkSearch(queries, options, this.rows, this.store.width);
    const ranges = columnRanges(this.store, options.layers);
    const columns = ranges.reduce((sum, { begin, end }) => sum + end - begin, 0);
    const atOnce = Math.max(1, Math.min(MOST_QUERIES, Math.floor(QUERY_BYTES / (4 * columns))));
    const found: Neighbors[] = [];
    for (let first = 0; first < queries.length; first += atOnce) {
      const scoring = {
        queries: queries.slice(first, first + atOnce),
        ranges,
        unitNorm: options.unitNorm ?? false,
      };
      found.push(...(await this.pass(scoring, options.k)));
    }
    return found;
  }

  async close(): Promise<void> {
    await this.threads.close();
  }

  private async pass(scoring: Scoring, k: number): Promise<Neighbors[]> {
    const { store, kernel } = this;
    const file = store.file();
    const task = { ...scoring, file, flags: store.flags, k, kernel };
    const parts = await this.threads.scan(task);
    return rankExactly(file, scoring, k, mergeCandidates(task, parts));
  }
}

/** The scores of `examples` (rows of `store`) for one `query` [width]: [n]. Throws RowNotWrittenError, ExampleRangeError. */
export function scoreExamples(
  store: GradientStoreReader,
  query: Float32Array,
  examples: readonly number[],
): Float64Array {
  for (const example of examples) store.checkHeld(example);
  const scoring = { queries: [query], ranges: columnRanges(store), unitNorm: false };
  const pairs = examples.map((row) => ({ row, query: 0 }));
  return exactScores(store.file(), scoring, pairs);
}

/** The columns of `layers`, or all of them; neighboring layers make one stretch. Throws {@link UnknownColumnError}. */
export function columnRanges(store: GradientStoreReader, layers?: readonly string[]): ColumnRange[] {
  if (!layers) return [{ begin: 0, end: store.width }];
  const offsets = columnOffsets(store.layout);
  const ranges: { begin: number; end: number }[] = [];
  for (const layer of layerNumbers(store, layers)) {
    const [begin = 0, end = 0] = [offsets[layer], offsets[layer + 1]];
    const last = ranges.at(-1);
    if (last?.end === begin) last.end = end;
    else ranges.push({ begin, end });
  }
  return ranges;
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
