/** How much of the exact answer an approximate index finds, measured on the store it indexes. */
import type { GradientStoreReader } from '../store/reader';
import { ExactIndex } from './exact';
import { gaussian, seededUniform } from './random';
import type { GradientIndex, Neighbor, Neighbors, SearchOptions } from './gradient-index';

/** Recall@k at one end of the ranking, and what it is at least, at 95 % confidence. */
export interface EndRecall {
  readonly recall: number;
  readonly lowerBound: number;
}

/** Recall at both ends for one sort of query. */
export interface QueryRecall {
  readonly highest: EndRecall;
  readonly lowest: EndRecall;
}

export interface RecallCertificate {
  readonly k: number;
  /** Queries of each sort. */
  readonly queries: number;
  readonly seed: number;
  readonly unitNorm: boolean;
  /** Queries that are rows of the store; the row itself is not counted among its neighbors. */
  readonly stored: QueryRecall;
  /** Queries that are random directions. */
  readonly random: QueryRecall;
  /** The worst of the four. */
  readonly recall: number;
  readonly lowerBound: number;
}

export interface CertificateOptions {
  readonly k?: number;
  readonly queries?: number;
  readonly seed?: number;
  readonly unitNorm?: boolean;
}

/** Queries of each sort: so many that finding everything is certain to reach `recall`, with half as many to spare. */
export function queriesFor(recall: number): number {
  const fewest = (CONFIDENCE_Z ** 2 * recall) / Math.max(1 - recall, 1e-3);
  return Math.max(200, Math.ceil(1.5 * fewest));
}

/** The normal quantile of every lower bound's one-sided confidence, 95 %. */
const CONFIDENCE_Z = 1.6448536269514722;

interface Trial {
  readonly queries: readonly Float32Array[];
  readonly options: SearchOptions;
  readonly exact: readonly Neighbors[];
  /** The row each query is, if it is one. */
  readonly sources: readonly number[];
}

/** Queries with their exact answers, to measure any number of indexes of one store against. */
export class RecallTest {
  private constructor(
    private readonly facts: Pick<RecallCertificate, 'k' | 'queries' | 'seed' | 'unitNorm'>,
    private readonly stored: Trial,
    private readonly random: Trial,
  ) {}

  /**
   * Two tests whose queries differ, one to settle how an index searches, the other to certify it. Each draws `queries` seeded
   * rows of `store`, half of all where there are fewer, and as many random directions; all are searched exactly.
   */
  static async prepare(
    store: GradientStoreReader,
    { k = 10, queries = 200, seed = 1, unitNorm = false }: CertificateOptions = {},
  ): Promise<{ readonly settling: RecallTest; readonly certifying: RecallTest }> {
    const uniform = seededUniform(seed);
    const drawn = drawRows(store, 2 * queries, uniform);
    const size = Math.max(1, Math.min(k, store.rowsWritten - 1));
    const options = { k: Math.min(size + 1, store.rowsWritten), unitNorm };
    const index = new ExactIndex(store);
    const test = async (sources: readonly number[]): Promise<RecallTest> => {
      const rows = sources.map((example) => store.row(example));
      const directions = sources.map(() =>
        Float32Array.from({ length: store.width }, () => gaussian(uniform)),
      );
      const half = sources.length;
      const exact = half === 0 ? [] : await index.search([...rows, ...directions], options);
      return new RecallTest(
        { k: size, queries: half, seed, unitNorm },
        { queries: rows, options, exact: exact.slice(0, half), sources },
        { queries: directions, options, exact: exact.slice(half), sources: [] },
      );
    };
    const half = Math.ceil(drawn.length / 2);
    const certifying = await test(drawn.slice(0, half));
    const settling = await test(drawn.slice(half));
    await index.close();
    return { settling, certifying };
  }

  /** How much of the exact answers `index` finds. A row counts when it scores no worse than the k-th. */
  async measure(index: GradientIndex): Promise<RecallCertificate> {
    const stored = await this.compare(index, this.stored);
    const random = await this.compare(index, this.random);
    const ends = [stored.highest, stored.lowest, random.highest, random.lowest];
    return {
      ...this.facts,
      stored,
      random,
      recall: Math.min(...ends.map(({ recall }) => recall)),
      lowerBound: Math.min(...ends.map(({ lowerBound }) => lowerBound)),
    };
  }

  private async compare(
    index: GradientIndex,
    { queries, options, exact, sources }: Trial,
  ): Promise<QueryRecall> {
    const found = queries.length === 0 ? [] : await index.search(queries, options);
    const end = (name: keyof Neighbors, sign: 1 | -1): EndRecall => {
      const others = (list: readonly Neighbors[], query: number) =>
        (list[query]?.[name] ?? [])
          .filter(({ example }) => example !== sources[query])
          .slice(0, this.facts.k);
      const sum = queries.reduce(
        (total, _, i) => total + hitShare(others(exact, i), others(found, i), sign),
        0,
      );
      const recall = queries.length === 0 ? 0 : sum / queries.length;
      return { recall, lowerBound: wilsonLowerBound(recall, queries.length) };
    };
    return { highest: end('highest', 1), lowest: end('lowest', -1) };
  }
}

/** Up to `count` different rows that were written. */
function drawRows(store: GradientStoreReader, count: number, uniform: () => number): number[] {
  const held = Array.from({ length: store.rows }, (_, example) => example).filter((i) => store.isWritten(i));
  return Array.from({ length: Math.min(count, held.length) }, (_, i) => {
    const j = i + Math.floor(uniform() * (held.length - i)); // Fisher-Yates, as far as needed
    [held[i], held[j]] = [held[j] ?? 0, held[i] ?? 0];
    return held[i];
  });
}

/** The share of `exact` that `found` has; both best first, `sign` 1 when higher scores are better. */
function hitShare(exact: readonly Neighbor[], found: readonly Neighbor[], sign: 1 | -1): number {
  const worst = exact.at(-1);
  if (!worst) return 1;
  return found.filter(({ score }) => sign * (score - worst.score) >= 0).length / exact.length;
}

/**
 * Wilson's one-sided lower bound for a mean of `trials` shares. Each query is one trial, not each of its k
 * neighbors, which are found or missed together: a share varies no more than a coin with the same mean does.
 */
export function wilsonLowerBound(mean: number, trials: number): number {
  if (trials === 0) return 0;
  const z2 = CONFIDENCE_Z ** 2;
  const spread = CONFIDENCE_Z * Math.sqrt((mean * (1 - mean)) / trials + z2 / (4 * trials ** 2));
  return Math.max(0, (mean + z2 / (2 * trials) - spread) / (1 + z2 / trials));
}
