/**
 * Approximate search: a scan of rows projected to few numbers finds candidates, the store gives their exact scores. Rows
 * lie by descending norm, and the scan ends where the norms that are left are too small for the scores already
 * found: where norms are heavy-tailed, as those of gradients are, after a small part of the rows.
 */
import fs from 'node:fs';
import { bestScanKernel } from '../../kernels/scan/open-scanner';
import { ClosedError } from '../errors';
import { guardWrite } from '../store/disk';
import type { GradientStoreReader } from '../store/reader';
import { ExactIndex } from './exact';
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

/** How many times k rows a search may gather: the first number with which the recall asked for is reached is kept. */
export const CANDIDATE_FACTORS = [4, 8, 16, 32, 64] as const;

/** Above this share of all rows, reading candidates one by one costs more than reading every row. */
const LARGEST_CANDIDATE_SHARE = 0.1;

/** Queries of one pass. */
const MOST_QUERIES = 128;

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
    const record = { ...result, candidates: CANDIDATE_FACTORS[0] };
    writeProjectedRecord(directory, record);
    return record;
  } finally {
    await thread.close();
  }
}

/** Searches the index described by a record that readProjectedRecord found to fit. */
export class ProjectedIndex implements GradientIndex {
  readonly engine = 'projected';
  readonly rows: number;
  private readonly exact: ExactIndex;
  private readonly threads = new ScanThreads();
  private open = true;

  private constructor(
    private readonly store: GradientStoreReader,
    readonly record: ProjectedRecord,
    private readonly projection: Projection,
  ) {
    this.rows = store.rowsWritten;
    this.exact = new ExactIndex(store);
  }

  /** Opens the index beside `store`, all of whose bytes are checked. Throws {@link IndexMismatchError}. */
  static open(store: GradientStoreReader, record: ProjectedRecord): ProjectedIndex {
    return new ProjectedIndex(store, record, loadProjection(store.directory, record));
  }

  /** The same index with another number of candidates; both share one file, and either closes it. */
  withCandidates(candidates: number): ProjectedIndex {
    return new ProjectedIndex(this.store, { ...this.record, candidates }, this.projection);
  }

  /**
   * As {@link GradientIndex.search}. Searches that projected rows cannot answer are exact ones: by layer, with a
   * `unitNorm` other than the index's, or for a large part of all rows.
   */
  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]> {
    if (!this.open) throw new ClosedError(projectedPaths(this.store.directory).rows);
    checkSearch(queries, options, this.rows, this.store.width);
    const { k, layers, unitNorm = false } = options;
    const gathered = k * this.record.candidates;
    const answerable =
      !layers && unitNorm === this.record.unitNorm && gathered <= LARGEST_CANDIDATE_SHARE * this.rows;
    if (!answerable) return this.exact.search(queries, options);
    const found: Neighbors[] = [];
    for (let first = 0; first < queries.length; first += MOST_QUERIES) {
      found.push(...(await this.pass(queries.slice(first, first + MOST_QUERIES), k, gathered, unitNorm)));
    }
    return found;
  }

  async close(): Promise<void> {
    if (!this.open) return;
    this.open = false;
    await Promise.all([this.exact.close(), this.threads.close()]);
    fs.closeSync(this.projection.file.descriptor);
  }

  private async pass(
    queries: readonly Float32Array[],
    k: number,
    gathered: number,
    unitNorm: boolean,
  ): Promise<Neighbors[]> {
    const { axes, examples, norms, file } = this.projection;
    const projected = {
      queries: queries.map((query) => project(query, axes)),
      ranges: [{ begin: 0, end: axes.length }],
      unitNorm: false,
    };
    const task = { ...projected, file, norms, flags: undefined, k: gathered, kernel: bestScanKernel() };
    const candidates = mergeCandidates(file, projected, gathered, await this.threads.scan(task));
    const toExamples = (rows: ArrayLike<number>) => Array.from(rows, (row) => examples[row] ?? 0);
    const ends = candidates.map(({ highest, lowest }) => ({
      highest: toExamples(highest),
      lowest: toExamples(lowest),
    }));
    const scoring = { queries, ranges: [{ begin: 0, end: this.store.width }], unitNorm };
    return rankExactly(this.store.file(), scoring, k, ends);
  }
}
