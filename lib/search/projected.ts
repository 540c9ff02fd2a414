/**
 * Approximate search: a scan of rows projected to few numbers finds candidates, the store gives their exact scores.
 *
 * A score is that of the projections plus the product of what the axes leave out of the query and of the row, two vectors
 * whose norms are known. If they pointed anywhere, it would be 0 with a standard deviation of the norms' product over
 * the square root of their space's dimension. Rows that may be among the best when scores are off by some number of those
 * deviations are the candidates: few for a query near the axes, more for one that is not. The number is the least with
 * which queries find as much of the exact answer as is asked for.
 *
 * Rows lie by descending norm, and the scan ends where the norms that are left are too small for the scores already
 * found: where norms are heavy-tailed, as those of gradients are, after a small part of the rows.
 */
import fs from 'node:fs';
import type { Doubt } from '../../kernels/scan/block-scanner';
import { bestScanKernel, type ScanKernel } from '../../kernels/scan/open-scanner';
import { ClosedError } from '../errors';
import { guardWrite } from '../store/disk';
import type { GradientStoreReader } from '../store/reader';
import { ExactIndex, type ScanOptions } from './exact';
import { checkSearch, type GradientIndex, type Neighbors, type SearchOptions } from './gradient-index';
import {
  projectedPaths,
  writeProjectedRecord,
  type ProjectedRecord,
  type ProjectionSettings,
} from './projected-format';
import { loadProjection, project, type Projection } from './projection';
import type { ProjectionRequest, ProjectionResult } from './projection-worker';
import { mergeCandidates, rankExactly } from './ranking';
import { ScanThreads } from './scan-threads';
import { Thread } from './thread';

const DEFAULT_SETTINGS: ProjectionSettings = { seed: 100, unitNorm: false };

/** By how many standard deviations scores may be taken to be off. */
export const DEVIATIONS = [1, 1.5, 2, 3, 4, 6, 8, 12] as const;

/** Of an index that was not measured. */
const USUAL_DEVIATIONS = 4;

/** The most candidates of a query and end are so many times k. */
const MOST_CANDIDATES = 32;

/** Above this share of all rows, reading candidates one by one costs more than reading every row. */
const LARGEST_CANDIDATE_SHARE = 0.1;

/** Queries of one pass, and candidates for all of their ends. */
const MOST_QUERIES = 128;
const CANDIDATES_AT_ONCE = 2 ** 18;

/** What float16 takes from a number, relative to it. */
const HALF_ROUNDING = 2 ** -11;

/**
 * Projects the rows of `store` on a thread of its own, and resolves to a record without a certificate (see
 * certificate.ts), which is written last. `onProgress` is told how many rows are in. Throws IncompleteStoreError,
 * SearchThreadError, DiskWriteError.
 */
export async function buildProjected(
  store: GradientStoreReader,
  settings: Partial<ProjectionSettings> = {},
  onProgress?: (rows: number) => void,
): Promise<ProjectedRecord> {
  const { directory } = store;
  const files = projectedPaths(directory);
  guardWrite(files.directory, 0, () => {
    fs.mkdirSync(files.directory, { recursive: true });
    fs.rmSync(files.record, { force: true });
  });
  const thread = new Thread<ProjectionRequest, ProjectionResult>('projection-worker');
  try {
    const result = await thread.ask(
      { directory, settings: { ...DEFAULT_SETTINGS, ...settings } },
      onProgress,
    );
    const record = { ...result, deviations: USUAL_DEVIATIONS };
    writeProjectedRecord(directory, record);
    return record;
  } finally {
    await thread.close();
  }
}

interface ProjectedQuery {
  readonly query: Float32Array;
  /** Its inner products with the axes. */
  readonly projection: Float32Array;
}

/** Searches the index described by a record that readProjectedRecord found to fit. */
export class ProjectedIndex implements GradientIndex {
  readonly engine = 'projected';
  readonly rows: number;
  private open = true;

  private constructor(
    private readonly store: GradientStoreReader,
    readonly record: ProjectedRecord,
    private readonly projection: Projection,
    private readonly kernel: ScanKernel,
    private readonly exact: ExactIndex,
    private readonly threads: ScanThreads,
  ) {
    this.rows = store.rowsWritten;
  }

  /** Opens the index beside `store`, all of whose bytes are checked. Throws {@link IndexMismatchError}. */
  static open(
    store: GradientStoreReader,
    record: ProjectedRecord,
    { threads, kernel = bestScanKernel() }: ScanOptions = {},
  ): ProjectedIndex {
    const projection = loadProjection(store.directory, record);
    const exact = new ExactIndex(store, { kernel, ...(threads !== undefined && { threads }) });
    return new ProjectedIndex(store, record, projection, kernel, exact, new ScanThreads(threads));
  }

  /** The same index with another number of deviations; both share a file and threads, and either closes them. */
  withEffort(deviations: number): ProjectedIndex {
    const { store, record, projection, kernel, exact, threads } = this;
    return new ProjectedIndex(store, { ...record, deviations }, projection, kernel, exact, threads);
  }

  /**
   * As {@link GradientIndex.search}. Searches that projected rows cannot answer are exact ones: by layer, with a
   * `unitNorm` other than the index's, for a large part of all rows, or for a query that no axis has a part in.
   */
  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]> {
    if (!this.open) throw new ClosedError(projectedPaths(this.store.directory).rows);
    checkSearch(queries, options, this.rows, this.store.width);
    const { k, layers, unitNorm = false } = options;
    const most = k * MOST_CANDIDATES;
    const answerable =
      !layers && unitNorm === this.record.unitNorm && most <= LARGEST_CANDIDATE_SHARE * this.rows;
    if (!answerable) return this.exact.search(queries, options);
    const atOnce = Math.max(1, Math.min(MOST_QUERIES, Math.floor(CANDIDATES_AT_ONCE / (2 * most))));
    const projected = queries.map((query) => ({ query, projection: project(query, this.projection.axes) }));
    const seen = projected.filter(({ projection }) => projection.some((value) => value !== 0));
    const found: Neighbors[] = [];
    for (let first = 0; first < seen.length; first += atOnce) {
      found.push(...(await this.pass(seen.slice(first, first + atOnce), k, most, unitNorm)));
    }
    if (seen.length === queries.length) return found;
    // Of a query that lies beside all axes the projected rows say nothing.
    const unseen = projected.filter((each) => !seen.includes(each)).map(({ query }) => query);
    const scanned = await this.exact.search(unseen, options);
    return projected.flatMap((each) => (seen.includes(each) ? found : scanned).shift() ?? []);
  }

  async close(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await Promise.all([this.exact.close(), this.threads.close()]);
    fs.closeSync(this.projection.file.descriptor);
  }

  private async pass(
    queries: readonly ProjectedQuery[],
    k: number,
    most: number,
    unitNorm: boolean,
  ): Promise<Neighbors[]> {
    const { axes, examples, norms, residuals, file } = this.projection;
    const task = {
      queries: queries.map(({ projection }) => projection),
      ...{ ranges: [{ begin: 0, end: axes.length }], unitNorm: false },
      ...{ file, flags: undefined, k, kernel: this.kernel },
      sketch: { norms, residuals, doubts: queries.map((query) => this.doubt(query)), most },
    };
    const candidates = mergeCandidates(task, await this.threads.scan(task));
    const toExamples = (rows: ArrayLike<number>) => Array.from(rows, (row) => examples[row] ?? 0);
    const ends = candidates.map(({ highest, lowest }) => ({
      highest: toExamples(highest),
      lowest: toExamples(lowest),
    }));
    const ranges = [{ begin: 0, end: this.store.width }];
    const scoring = { queries: queries.map(({ query }) => query), ranges, unitNorm };
    return rankExactly(this.store.file(), scoring, k, ends);
  }

  /** How far a query's scores are taken to be off. */
  private doubt({ query, projection }: ProjectedQuery): Doubt {
    const { width, dimension, deviations } = this.record;
    const squares = (of: Float32Array) => of.reduce((sum, value) => sum + value * value, 0);
    const within = squares(projection);
    const beside = Math.sqrt(Math.max(0, squares(query) - within));
    // All of it is certain (Cauchy and Schwarz).
    const share = Math.min(1, deviations / Math.sqrt(Math.max(1, width - dimension)));
    return { ofNorm: HALF_ROUNDING * Math.sqrt(within), ofResidual: share * beside };
  }
}
