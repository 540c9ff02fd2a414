/** Approximate search: an HNSW graph finds candidates, the store gives their exact scores. */
import fs from 'node:fs';
import { ClosedError, IndexMismatchError } from '../errors';
import { guardWrite } from '../store/disk';
import type { GradientStoreReader } from '../store/reader';
import { ExactIndex } from './exact';
import { checkSearch, type GradientIndex, type Neighbors, type SearchOptions } from './gradient-index';
import {
  indexPaths,
  storeChecksum,
  writeIndexRecord,
  type HnswRecord,
  type HnswSettings,
} from './hnsw-format';
import { HnswThread } from './hnsw-thread';
import { PROJECTED_FILES, type ProjectedRecord } from './projected-format';

const DEFAULT_HNSW_SETTINGS: HnswSettings = { m: 16, efConstruction: 200, seed: 100 };

/**
 * How many candidates a search may gather at each end before it ranks them exactly: the first number with
 * which an index reaches the recall asked for is kept.
 */
export const CANDIDATE_COUNTS = [128, 256, 512, 1024] as const;

/** Above this share of all rows, asking the graph for candidates costs more than scoring every row. */
const LARGEST_CANDIDATE_SHARE = 0.5;

/**
 * Builds a graph over the `projected` rows of `store` on a thread of its own, as `index/hnsw.bin` and a record without a certificate
 * (see certificate.ts), and resolves to the record. `onProgress` is told how many rows are in. Throws
 * IncompleteStoreError, HnswUnavailableError, SearchThreadError, DiskWriteError.
 */
export async function buildHnsw(
  store: GradientStoreReader,
  projected: ProjectedRecord,
  settings: Partial<HnswSettings> = {},
  onProgress?: (rows: number) => void,
): Promise<HnswRecord> {
  const { directory } = store;
  const storeSha256 = storeChecksum(store);
  const files = indexPaths(directory);
  guardWrite(files.directory, 0, () => {
    fs.mkdirSync(files.directory, { recursive: true });
    fs.rmSync(files.record, { force: true });
  });
  const full = { ...DEFAULT_HNSW_SETTINGS, ...settings };
  const thread = new HnswThread();
  try {
    const graph = await thread.build({ op: 'build', directory, settings: full, projected }, onProgress);
    const record: HnswRecord = {
      ...{ ...full, ...graph, space: 'ip', ef: CANDIDATE_COUNTS[0], storeSha256 },
      unitNorm: projected.unitNorm,
      projectedSha256: projectedChecksum(projected),
    };
    writeIndexRecord(directory, record);
    return record;
  } finally {
    await thread.close();
  }
}

/** Searches the index described by a record that {@link readIndexRecord} found to fit. */
export class HnswIndex implements GradientIndex {
  readonly engine = 'hnsw';
  readonly rows: number;
  private readonly exact: ExactIndex;
  private open = true;

  private constructor(
    private readonly store: GradientStoreReader,
    readonly record: HnswRecord,
    private readonly thread: HnswThread,
  ) {
    this.rows = store.rowsWritten;
    this.exact = new ExactIndex(store);
  }

  /**
   * Loads the graph beside `store` over `projected` rows. Throws {@link IndexMismatchError}, HnswUnavailableError,
   * SearchThreadError.
   */
  static async open(
    store: GradientStoreReader,
    record: HnswRecord,
    projected: ProjectedRecord,
  ): Promise<HnswIndex> {
    const found = projectedChecksum(projected);
    if (found !== record.projectedSha256) {
      const { record: file } = indexPaths(store.directory);
      throw new IndexMismatchError(file, 'sha256 of the projected rows', record.projectedSha256, found);
    }
    const thread = new HnswThread();
    try {
      const sha256 = await thread.load({ op: 'load', directory: store.directory, record, projected });
      if (sha256 !== record.sha256) {
        throw new IndexMismatchError(indexPaths(store.directory).graph, 'sha256', record.sha256, sha256);
      }
      return new HnswIndex(store, record, thread);
    } catch (error) {
      await thread.close();
      throw error;
    }
  }

  /** The same index with another number of candidates; both share one thread, and either closes it. */
  withEffort(ef: number): HnswIndex {
    return new HnswIndex(this.store, { ...this.record, ef }, this.thread);
  }

  /**
   * As {@link GradientIndex.search}. Searches the graph cannot answer are exact ones: by layer, with a
   * `unitNorm` other than the index's, for a large part of all rows, or for a query of zeros.
   */
  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<Neighbors[]> {
    if (!this.open) throw new ClosedError(indexPaths(this.store.directory).graph);
    checkSearch(queries, options, this.rows, this.store.width);
    const { k, layers, unitNorm = false } = options;
    const ef = Math.max(this.record.ef, 2 * k);
    const answerable =
      !layers && unitNorm === this.record.unitNorm && ef <= LARGEST_CANDIDATE_SHARE * this.rows;
    if (!answerable || queries.some(isZero)) return this.exact.search(queries, options);
    const found = await this.thread.search({ op: 'search', queries, k, ef });
    const missing = queries.filter((_, i) => found[i] === null);
    const scanned = missing.length > 0 ? await this.exact.search(missing, options) : [];
    return found.map((neighbors) => neighbors ?? scanned.shift() ?? { highest: [], lowest: [] });
  }

  async close(): Promise<void> {
    this.open = false;
    await Promise.all([this.thread.close(), this.exact.close()]);
  }
}

function projectedChecksum({ files }: ProjectedRecord): string {
  return files[PROJECTED_FILES.rows]?.sha256 ?? '';
}

function isZero(query: Float32Array): boolean {
  return query.every((value) => value === 0);
}
