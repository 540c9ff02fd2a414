/**
 * Influence summed over training: Σ η g·q over its checkpoints, g and q being gradients at the checkpoint's weights.
 * Pruthi et al. 2020, arXiv 2002.08484.
 */
import { InvalidOptionError, RowShapeError } from '../errors';
import type { Run } from '../run/run';
import { innerProducts } from '../search/inner-products';
import { GradientStoreReader } from '../store/reader';
import { epochStores, stepRates } from './step-rates';

/** The gradients of training examples at one state of a model. */
export interface Checkpoint {
  /** Directory of their gradient store. */
  readonly store: string;
  /** What each row is multiplied by: its example's learning rates, or one for all. */
  readonly rates: Float64Array | number;
  /** Rows of the queries at the same weights, each [width]. The same queries at every checkpoint. */
  readonly queries: readonly Float32Array[];
}

/**
 * For each query its score with every example: [queries] of [examples], zero for examples without a row. Stores are read
 * one after another, a block in memory. @throws InvalidOptionError, RowShapeError
 */
export async function tracInCheckpoints(
  checkpoints: Iterable<Checkpoint> | AsyncIterable<Checkpoint>,
): Promise<Float64Array[]> {
  let totals: Float64Array[] | undefined;
  for await (const { store: directory, rates, queries } of checkpoints) {
    const store = GradientStoreReader.open(directory);
    try {
      totals ??= queries.map(() => new Float64Array(store.rows));
      if (totals.length !== queries.length || totals.some(({ length }) => length < store.rows)) {
        const found = `${queries.length} queries and ${store.rows} rows`;
        throw new InvalidOptionError('checkpoints', found, 'as many queries, and rows, in each of them');
      }
      await addScores(store, rates, queries, totals);
    } finally {
      store.close();
    }
  }
  return totals ?? [];
}

async function addScores(
  store: GradientStoreReader,
  rates: Float64Array | number,
  queries: readonly Float32Array[],
  totals: readonly Float64Array[],
): Promise<void> {
  const { width } = store;
  queries.forEach((query, i) => {
    if (query.length !== width) throw new RowShapeError(`query ${i}`, width, query.length);
  });
  const scores = new Float64Array(queries.length);
  for (const { first, count, rows } of store.blocks()) {
    for (let i = 0; i < count; i++) {
      const rate = typeof rates === 'number' ? rates : (rates[first + i] ?? NaN);
      if (!store.isWritten(first + i)) continue;
      const row = rows.subarray(i * width, (i + 1) * width);
      innerProducts(row, queries, [{ begin: 0, end: width }], scores);
      totals.forEach((total, query) => {
        total[first + i] = (total[first + i] ?? 0) + rate * (scores[query] ?? NaN);
      });
    }
    await new Promise((resolve) => setImmediate(resolve)); // lets signals through
  }
}

/** What to ask a run by: training examples, whose rows are in its stores, or rows made at each epoch's weights. */
export type TracInQueries = readonly number[] | ((epoch: number) => Promise<readonly Float32Array[]>);

/**
 * TracIn over a run's epochs: by how much training on each example lowered each query's loss, to first order and in the
 * loss's unit, where the optimizer is plain gradient descent. Each row counts by the learning rate of its step and its
 * weight in the step's loss. Other optimizers do not step along gradients; their rates only weigh epochs. Of an example
 * that an epoch saw several times the last row stands for all.
 *
 * @param queries Ids of training examples, or a function that gives rows of queries for an epoch: `Attributor.queryRows` of a
 *   model with that epoch's weights.
 * @returns [queries] of [examples].
 * @throws LearningRateError, InvalidOptionError if the run keeps no store of
 *   plain gradients for each epoch, RowShapeError, RowNotWrittenError
 * @example
 * const [scores] = await tracIn(Run.open('runs/digits'), [17]);
 */
export function tracIn(run: Run, queries: TracInQueries): Promise<Float64Array[]> {
  return tracInCheckpoints(epochCheckpoints(run, queries));
}

async function* epochCheckpoints(run: Run, queries: TracInQueries): AsyncGenerator<Checkpoint> {
  for (const { epoch, directory } of epochStores(run)) {
    const store = GradientStoreReader.open(directory);
    try {
      const asked =
        typeof queries === 'function' ? await queries(epoch) : queries.map((example) => store.row(example));
      yield { store: directory, rates: stepRates(run, epoch, store.rows), queries: asked };
    } finally {
      store.close();
    }
  }
}
