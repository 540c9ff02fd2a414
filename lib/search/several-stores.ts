/** Several stores searched as one: epochs, or runs of the same layout. */
import { LayoutMismatchError } from '../errors';
import { checkSearch, type Neighbor, type Neighbors, type SearchOptions } from './gradient-index';
import { openIndex, type OpenedIndex, type OpenIndexOptions } from './open-index';

/** An example of one of several stores, and its score. */
export interface StoreNeighbor extends Neighbor {
  /** The store's position among those that were opened. */
  readonly store: number;
}

/** Both ends of the ranking over all stores; of equal scores the lower example comes first, then the earlier store. */
export interface StoreNeighbors {
  readonly highest: readonly StoreNeighbor[];
  readonly lowest: readonly StoreNeighbor[];
}

/**
 * The stores in several directories as one. What is among the best k of all is among the best k of its own store, so each
 * is searched by the engine that its own index calls for, and the best of their answers are the answer.
 */
export class SeveralStores {
  private constructor(
    /** In the order of the directories. */
    readonly stores: readonly OpenedIndex[],
    private readonly width: number,
  ) {}

  /** Throws {@link LayoutMismatchError} unless columns are the same in all, and what openIndex throws. */
  static async open(directories: readonly string[], options: OpenIndexOptions = {}): Promise<SeveralStores> {
    const stores: OpenedIndex[] = [];
    try {
      for (const directory of directories) stores.push(await openIndex(directory, options));
      const [first, ...others] = stores.map(({ store }) => store);
      for (const other of others) {
        const [expected, found] = [JSON.stringify(first?.columns), JSON.stringify(other.columns)];
        if (first === undefined || expected === found) continue;
        throw new LayoutMismatchError(first.directory, other.directory, 'columns', expected, found);
      }
      return new SeveralStores(stores, first?.width ?? 0);
    } catch (error) {
      await closeAll(stores);
      throw error;
    }
  }

  /** Rows that can be found, over all stores. */
  get rows(): number {
    return this.stores.reduce((sum, { index }) => sum + index.rows, 0);
  }

  /** The neighbors of each of `queries` (each [width]), in their order. Throws as GradientIndex.search does. */
  async search(queries: readonly Float32Array[], options: SearchOptions): Promise<StoreNeighbors[]> {
    checkSearch(queries, options, this.rows, this.width);
    const found: Neighbors[][] = [];
    for (const { index } of this.stores) {
      const k = Math.min(options.k, index.rows);
      found.push(k === 0 ? [] : await index.search(queries, { ...options, k }));
    }
    const best = (query: number, end: keyof Neighbors, sign: 1 | -1): StoreNeighbor[] =>
      found
        .flatMap((answers, store) => (answers[query]?.[end] ?? []).map((each) => ({ ...each, store })))
        .sort((a, b) => sign * (b.score - a.score) || a.example - b.example || a.store - b.store)
        .slice(0, options.k);
    return queries.map((_, query) => ({
      highest: best(query, 'highest', 1),
      lowest: best(query, 'lowest', -1),
    }));
  }

  close(): Promise<void> {
    return closeAll(this.stores);
  }
}

async function closeAll(stores: readonly OpenedIndex[]): Promise<void> {
  await Promise.all(stores.map((store) => store.close()));
}
