/** What is done to queries so that their inner products with a store's rows are q H⁻¹ g. */
import { AlreadyPreconditionedError, InvalidOptionError } from '../errors';
import type { GradientStoreReader } from '../store/reader';
import type { Preconditioner } from './preconditioner';

const NORMS_BEFORE =
  'false where queries are preconditioned, since the norms are those of rows before preconditioning; ' +
  'search a store of preconditioned rows, which `bergson precondition RUN --bake` makes';

const OTHER_STORES =
  'false for a store of preconditioned rows, since those of the epochs are not; ' +
  'search the store it was made from, with `precondition`';

export class QueryPreconditioning {
  private constructor(
    /** `rows`: the store holds H^-1/2 g. `queries`: it holds g, and is searched with H⁻¹ q. */
    readonly applied: 'none' | 'rows' | 'queries',
    private readonly preconditioner: Preconditioner | null,
  ) {}

  /**
   * For a search of `store`, which the caller `asked` to precondition or not; a store of preconditioned rows is always
   * asked so.
   * @throws AlreadyPreconditionedError, PreconditionerNotFoundError and other errors of `readPreconditioner`
   */
  static open(store: GradientStoreReader, asked: boolean): QueryPreconditioning {
    const baked = store.manifest?.preconditioned != null;
    if (baked && asked) throw new AlreadyPreconditionedError(store.directory);
    if (!baked && !asked) return new QueryPreconditioning('none', null);
    // Loads tfjs, which takes longer than many a search.
    const { readPreconditioner } =
      require('./preconditioner-files') as typeof import('./preconditioner-files');
    return new QueryPreconditioning(baked ? 'rows' : 'queries', readPreconditioner(store).preconditioner);
  }

  /** Gradients of queries as the store's rows are. */
  toStoreRows(rows: Float32Array[]): Float32Array[] {
    if (this.applied !== 'rows' || this.preconditioner === null) return rows;
    return this.preconditioner.apply(rows, 'inverse-root');
  }

  /** What to search with for rows that are as the store's. @throws InvalidOptionError for what would be of other rows */
  toQueries(
    rows: readonly Float32Array[],
    { unitNorm = false, epochs = false }: { readonly unitNorm?: boolean; readonly epochs?: boolean } = {},
  ): readonly Float32Array[] {
    const { applied, preconditioner } = this;
    if (applied === 'queries' && unitNorm) throw new InvalidOptionError('unitNorm', true, NORMS_BEFORE);
    if (applied === 'rows' && epochs) throw new InvalidOptionError('epochs', true, OTHER_STORES);
    return applied === 'queries' && preconditioner !== null ? preconditioner.apply(rows) : rows;
  }

  close(): void {
    this.preconditioner?.dispose();
  }
}
