/** Chooses the engine for a store, and says which and why. */
import { BergsonError } from '../errors';
import { GradientStoreReader } from '../store/reader';
import { queriesFor, RecallTest, type CertificateOptions, type RecallCertificate } from './certificate';
import { ExactIndex } from './exact';
import type { EngineName, GradientIndex } from './gradient-index';
import { CANDIDATE_COUNTS, HnswIndex, buildHnsw } from './hnsw';
import { readIndexRecord, writeIndexRecord, type HnswSettings } from './hnsw-format';
import { DEVIATIONS, ProjectedIndex, buildProjected } from './projected';
import { readProjectedRecord, writeProjectedRecord, type ProjectionSettings } from './projected-format';

/** What an index's recall@10 must at least be, at 95 % confidence, to be used instead of exact search. */
export const RECALL_THRESHOLD = 0.95;

export interface OpenIndexOptions {
  /**
   * `auto` (default): the projected index if its certificate reaches `recall`, else exact search. `projected` and
   * `hnsw`: without asking for a certificate.
   */
  readonly engine?: 'auto' | EngineName;
  /** The recall@10 that must be certain at 95 % confidence. Default: 0.95. */
  readonly recall?: number;
}

/** An index that owns its store, with a sentence to print about the choice. */
export interface OpenedIndex {
  readonly index: GradientIndex;
  readonly store: GradientStoreReader;
  readonly engine: EngineName;
  readonly reason: string;
  close(): Promise<void>;
}

/**
 * Opens the store in `storeDirectory` and the best way to search it. With `auto` an index that is missing, damaged,
 * uncertified or short of `recall` means exact search, for the `reason` given. With `projected` or `hnsw` one that is
 * missing is built, and errors are thrown. Throws what {@link GradientStoreReader.open} throws.
 */
export async function openIndex(
  storeDirectory: string,
  { engine = 'auto', recall = RECALL_THRESHOLD }: OpenIndexOptions = {},
): Promise<OpenedIndex> {
  const store = GradientStoreReader.open(storeDirectory);
  const opened = (index: GradientIndex, reason: string): OpenedIndex => ({
    index,
    store,
    engine: index.engine,
    reason,
    close: async () => {
      await index.close();
      store.close();
    },
  });
  const exact = (reason: string) => opened(new ExactIndex(store), reason);
  try {
    switch (engine) {
      case 'exact':
        return exact('exact search was asked for');
      case 'projected': {
        const record = readProjectedRecord(store) ?? (await buildProjected(store));
        return opened(ProjectedIndex.open(store, record), 'it was asked for');
      }
      case 'hnsw':
        return opened(await openHnsw(store), 'HNSW was asked for');
      case 'auto':
    }
    const record = readProjectedRecord(store);
    if (!record) return exact('there is no index; `buildIndex` makes one');
    const { certificate } = record;
    if (!certificate) return exact('the index was never compared with exact search');
    const found = `recall@${certificate.k} of the index is ${certificate.recall.toFixed(3)}, at least ${certificate.lowerBound.toFixed(3)}`;
    if (certificate.lowerBound < recall) return exact(`${found}, short of ${recall}`);
    return opened(ProjectedIndex.open(store, record), `${found}, which reaches ${recall}`);
  } catch (error) {
    if (engine === 'auto' && error instanceof BergsonError) return exact(error.message);
    store.close();
    throw error;
  }
}

/** The graph beside `store`, built where there is none. */
async function openHnsw(store: GradientStoreReader): Promise<HnswIndex> {
  const projected = readProjectedRecord(store) ?? (await buildProjected(store));
  const record = readIndexRecord(store) ?? (await buildHnsw(store, projected));
  return HnswIndex.open(store, record, projected);
}

/** How to build and how to measure. */
export interface BuildIndexOptions {
  /** Which index: `projected` (default), or `hnsw`, a graph over the rows of one. */
  readonly engine?: Exclude<EngineName, 'exact'>;
  readonly projection?: Partial<ProjectionSettings>;
  readonly hnsw?: Partial<HnswSettings>;
  readonly certificate?: Omit<CertificateOptions, 'unitNorm'>;
  /** The recall@10 to be reached, certain at 95 % confidence: searches are as thorough as that takes. Default: 0.95. */
  readonly recall?: number;
  /** Told how many of the store's written rows are in. */
  readonly onProgress?: (rows: number) => void;
}

/** An index that was built. */
export interface BuiltIndex {
  readonly count: number;
  readonly certificate?: RecallCertificate;
}

/**
 * Builds an index of the store in `storeDirectory` that searches as thoroughly as `recall` takes, measures its recall, and
 * writes both beside the store. Throws IncompleteStoreError, SearchThreadError, DiskWriteError, and for
 * `hnsw` HnswUnavailableError.
 */
export async function buildIndex(
  storeDirectory: string,
  options: BuildIndexOptions = {},
): Promise<BuiltIndex> {
  const { engine = 'projected', projection, hnsw, recall = RECALL_THRESHOLD, onProgress } = options;
  const store = GradientStoreReader.open(storeDirectory);
  const prepare = (unitNorm: boolean) =>
    RecallTest.prepare(store, { queries: queriesFor(recall), ...options.certificate, unitNorm });
  try {
    const graph = engine === 'hnsw';
    const projected = await buildProjected(store, projection, graph ? undefined : onProgress);
    if (graph) {
      const record = await buildHnsw(store, projected, hnsw, onProgress);
      const index = await HnswIndex.open(store, record, projected);
      return await certify(
        index,
        await prepare(record.unitNorm),
        recall,
        CANDIDATE_COUNTS,
        (ef, certificate) => {
          const certified = { ...record, ef, certificate };
          writeIndexRecord(store.directory, certified);
          return certified;
        },
      );
    }
    const index = ProjectedIndex.open(store, projected);
    const test = await prepare(projected.unitNorm);
    return await certify(index, test, recall, DEVIATIONS, (deviations, certificate) => {
      const certified = { ...projected, deviations, certificate };
      writeProjectedRecord(store.directory, certified);
      return certified;
    });
  } finally {
    store.close();
  }
}

/**
 * Measures `index`, which it closes, at the effort after the least of `efforts` (ascending) that reaches `recall` with the
 * queries that settle it: these chose, and others do worse by some chance. Those that certify had no part in that.
 */
async function certify<Built>(
  index: GradientIndex & { withEffort(effort: number): GradientIndex },
  { settling, certifying }: Awaited<ReturnType<typeof RecallTest.prepare>>,
  recall: number,
  efforts: readonly number[],
  write: (effort: number, certificate: RecallCertificate) => Built,
): Promise<Built> {
  try {
    let [reached, most] = [0, efforts.length - 1];
    while (reached < most) {
      const middle = Math.floor((reached + most) / 2);
      const { lowerBound } = await settling.measure(index.withEffort(efforts[middle] ?? 0));
      if (lowerBound >= recall) most = middle;
      else reached = middle + 1;
    }
    const effort = efforts[Math.min(reached + 1, efforts.length - 1)] ?? 0;
    return write(effort, await certifying.measure(index.withEffort(effort)));
  } finally {
    await index.close();
  }
}
