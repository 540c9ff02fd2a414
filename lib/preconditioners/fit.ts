/** Fits the preconditioner of a store from its rows, and puts it beside them. */
import { AlreadyPreconditionedError, BergsonError, LayoutMismatchError } from '../errors';
import { storeChecksum } from '../search/hnsw-format';
import { describeColumns } from '../store/format';
import type { GradientStoreReader } from '../store/reader';
import {
  autocorrelationOf,
  mixAutocorrelations,
  type Autocorrelation,
  type Progress,
} from './autocorrelation';
import { readCollected } from './collected-autocorrelation';
import { decompose, type Decomposition } from './decomposition';
import { DEFAULT_DAMPING, Preconditioner, type PreconditionerOptions } from './preconditioner';
import {
  readPreconditioner,
  writePreconditioner,
  type MixedQueries,
  type StoredPreconditioner,
} from './preconditioner-files';

export interface FitOptions extends PreconditionerOptions {
  /** Rows of queries, whose autocorrelation is mixed in; `share` (from 0 to 1) is that of the store's own. */
  readonly queries?: { readonly store: GradientStoreReader; readonly share: number } | null;
  /**
   * What to decompose in place of the rows' autocorrelation, such as `fisherAutocorrelation`'s. It then stays, until
   * `force` or another one. Default: the rows'.
   */
  readonly autocorrelation?: Autocorrelation;
  /** Whether to go over the rows again where there is a preconditioner of them already. Default: false. */
  readonly force?: boolean;
  /** Told of rows read, then of layers decomposed. */
  readonly onProgress?: (what: 'rows' | 'layers', done: number, total: number) => void;
}

export interface FittedPreconditioner extends StoredPreconditioner {
  /** Whether its decomposition was computed, or found. */
  readonly fitted: boolean;
  /** Whether the store's rows were read for it; not those of a store whose autocorrelation was summed as it was written. */
  readonly readRows: boolean;
}

/**
 * The preconditioner of `store`, which is then beside it on disk. What was decomposed before is damped anew only. Needs a
 * backend for speed alone.
 * @throws AlreadyPreconditionedError, IncompleteStoreError, AutocorrelationWidthError, SingularAutocorrelationError,
 *   LayoutMismatchError, DiskWriteError
 */
export async function fitPreconditioner(
  store: GradientStoreReader,
  options: FitOptions = {},
): Promise<FittedPreconditioner> {
  if (store.manifest?.preconditioned) throw new AlreadyPreconditionedError(store.directory);
  const storeSha256 = storeChecksum(store);
  const queries = describeQueries(options.queries);
  const given = options.autocorrelation;
  const found = options.force === true || given ? undefined : findDecomposition(store, queries);
  const { damping = DEFAULT_DAMPING } = options;
  if (found?.record.damping === damping) return { ...found, fitted: false, readRows: false };
  const { decomposition, readRows } =
    found === undefined
      ? await decomposeRows(store, options)
      : { decomposition: found.preconditioner.decomposition, readRows: false };
  const preconditioner = Preconditioner.of(decomposition, { damping });
  const record = writePreconditioner(store.directory, preconditioner, {
    storeSha256,
    queries,
    of: given ? 'given' : (found?.record.of ?? 'rows'),
  });
  return { record, preconditioner, fitted: found === undefined, readRows };
}

function describeQueries(queries: FitOptions['queries']): MixedQueries | null {
  if (!queries) return null;
  const { store, share } = queries;
  return { storeSha256: storeChecksum(store), examples: store.rowsWritten, share };
}

/** What is beside the store, if it is of use. */
function findDecomposition(
  store: GradientStoreReader,
  queries: MixedQueries | null,
): StoredPreconditioner | undefined {
  const found = unlessUnfit(() => readPreconditioner(store));
  const alike =
    found?.record.queries?.storeSha256 === queries?.storeSha256 &&
    found?.record.queries?.share === queries?.share;
  return alike ? found : undefined;
}

/** What is damaged, or of other rows, is as good as none. */
function unlessUnfit<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof BergsonError) return undefined;
    throw error;
  }
}

async function decomposeRows(
  store: GradientStoreReader,
  { queries, autocorrelation, force = false, onProgress }: FitOptions,
): Promise<{ decomposition: Decomposition; readRows: boolean }> {
  const report =
    (what: 'rows' | 'layers'): Progress =>
    (done, total) =>
      onProgress?.(what, done, total);
  const known = autocorrelation ?? (force ? undefined : unlessUnfit(() => readCollected(store)));
  const own = known ?? (await autocorrelationOf(store, report('rows')));
  checkColumns(store, own);
  const mixed = queries ? mixAutocorrelations(own, await ofQueries(queries.store), queries.share) : own;
  return { decomposition: decompose(mixed, report('layers')), readRows: known === undefined };
}

async function ofQueries(store: GradientStoreReader): Promise<Autocorrelation> {
  return unlessUnfit(() => readCollected(store)) ?? (await autocorrelationOf(store));
}

function checkColumns(store: GradientStoreReader, { columns }: Autocorrelation): void {
  const [expected, found] = [describeColumns(store.columns), describeColumns(columns)];
  if (expected !== found)
    throw new LayoutMismatchError(store.directory, 'the autocorrelation', 'columns', expected, found);
}
