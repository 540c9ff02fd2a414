/** Chooses the engine for a store, and says which and why. */
import { BergsonError, HnswUnavailableError } from '../errors';
import { GradientStoreReader } from '../store/reader';
import { RecallTest, type CertificateOptions } from './certificate';
import { ExactIndex } from './exact';
import type { GradientIndex } from './gradient-index';
import { CANDIDATE_COUNTS, HnswIndex, buildHnsw } from './hnsw';
import { readIndexRecord, writeIndexRecord, type HnswRecord, type HnswSettings } from './hnsw-format';

/** What an index's recall@10 must at least be, at 95 % confidence, to be used instead of exact search. */
export const RECALL_THRESHOLD = 0.95;

export interface OpenIndexOptions {
  /** `auto` (default): HNSW if its certificate reaches `threshold`. `hnsw`: without asking for one. */
  readonly engine?: 'auto' | 'exact' | 'hnsw';
  readonly threshold?: number;
}

/** An index that owns its store, with a sentence to print about the choice. */
export interface OpenedIndex {
  readonly index: GradientIndex;
  readonly store: GradientStoreReader;
  readonly engine: 'exact' | 'hnsw';
  readonly reason: string;
  close(): Promise<void>;
}

/**
 * Opens the store in `storeDirectory` and the best way to search it. With `auto` an index that is missing,
 * damaged, uncertified, short of the threshold, or whose library does not load means exact search, for the
 * `reason` given. With `hnsw` those errors are thrown. Throws what {@link GradientStoreReader.open} throws.
 */
export async function openIndex(
  storeDirectory: string,
  { engine = 'auto', threshold = RECALL_THRESHOLD }: OpenIndexOptions = {},
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
  if (engine === 'exact') return exact('exact search was asked for');
  try {
    const record = readIndexRecord(store);
    if (!record) {
      if (engine === 'hnsw') return opened(await HnswIndex.open(store, await buildHnsw(store)), 'just built');
      return exact('there is no index; `buildIndex` makes one');
    }
    if (engine === 'hnsw') return opened(await HnswIndex.open(store, record), 'HNSW was asked for');
    const { certificate } = record;
    if (!certificate) return exact('the index was never compared with exact search');
    const recall = `recall@${certificate.k} of the index is ${certificate.recall.toFixed(3)}, at least ${certificate.lowerBound.toFixed(3)}`;
    if (certificate.lowerBound < threshold) return exact(`${recall}, short of ${threshold}`);
    return opened(await HnswIndex.open(store, record), `${recall}, which reaches ${threshold}`);
  } catch (error) {
    if (engine === 'auto' && error instanceof BergsonError) return exact(error.message);
    store.close();
    throw error;
  }
}

/** How to build and how to measure. */
export interface BuildIndexOptions {
  readonly settings?: Partial<HnswSettings>;
  readonly certificate?: Omit<CertificateOptions, 'unitNorm'>;
  /** Stop asking for more candidates once the certificate reaches this recall. */
  readonly threshold?: number;
  /** Told how many of the store's written rows are in the graph. */
  readonly onProgress?: (rows: number) => void;
}

/**
 * Builds the HNSW index of the store in `storeDirectory`, measures its recall with more and more
 * candidates until it reaches `threshold`, and writes both beside the store. Throws IncompleteStoreError, HnswUnavailableError, SearchThreadError, DiskWriteError.
 */
export async function buildIndex(
  storeDirectory: string,
  { settings, certificate, threshold = RECALL_THRESHOLD, onProgress }: BuildIndexOptions = {},
): Promise<HnswRecord> {
  const store = GradientStoreReader.open(storeDirectory);
  try {
    const record = await buildHnsw(store, settings, onProgress);
    const index = await HnswIndex.open(store, record);
    try {
      const test = await RecallTest.prepare(store, { ...certificate, unitNorm: record.unitNorm });
      let certified = record;
      for (const ef of CANDIDATE_COUNTS) {
        certified = { ...record, ef, certificate: await test.measure(index.withCandidates(ef)) };
        if ((certified.certificate?.lowerBound ?? 0) >= threshold) break;
      }
      writeIndexRecord(store.directory, certified);
      return certified;
    } finally {
      await index.close();
    }
  } finally {
    store.close();
  }
}

/** The same where hnswlib-node can be loaded; elsewhere nothing, since search is then exact, and says so when asked. */
export async function buildIndexIfPossible(
  storeDirectory: string,
  onProgress?: (rows: number) => void,
): Promise<void> {
  try {
    await buildIndex(storeDirectory, { onProgress });
  } catch (error) {
    if (!(error instanceof HnswUnavailableError)) throw error;
  }
}
