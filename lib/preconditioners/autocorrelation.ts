/**
 * Autocorrelation matrices of gradients, R = (1/N) Σ g gᵀ, uncentered, one for each layer's columns. Accumulated in double
 * precision: the smallest eigenvalues are what an inverse is made of, and single precision would drown them.
 */
import {
  AutocorrelationWidthError,
  LayoutMismatchError,
  NonFiniteValueError,
  RowShapeError,
} from '../errors';
import { float64Algebra, type GramSum } from '../../kernels/float64/algebra';
import { describeColumns, type Column } from '../store/format';
import type { GradientStoreReader } from '../store/reader';

export interface Autocorrelation {
  /** N: how many examples it is the mean over. */
  readonly examples: number;
  readonly columns: readonly Column[];
  /** For each of `columns` R, [width, width] row-major. */
  readonly matrices: readonly Float64Array[];
}

/**
 * Sums products of rows as they come. Memory is the widths squared, whatever the number of rows. Lives on the backend that
 * is selected when it is made.
 *
 * @example
 * const sum = new AutocorrelationSum(collector.columns);
 * sum.add(await collector.rows(gradients, batchSize));
 * const preconditioner = Preconditioner.of(decompose(sum.mean()));
 * sum.dispose();
 */
export class AutocorrelationSum {
  private readonly width: number;
  private readonly sums: readonly GramSum[];
  private examples = 0;

  /** @throws AutocorrelationWidthError */
  constructor(private readonly columns: readonly Column[]) {
    const algebra = float64Algebra();
    for (const { layer, width } of columns) {
      if (width > algebra.widest) throw new AutocorrelationWidthError(layer, width, algebra.widest);
    }
    this.width = columns.reduce((sum, { width }) => sum + width, 0);
    this.sums = columns.map(({ width }) => algebra.gramSum(width));
  }

  /**
   * Adds rows [n, width], row-major, which are gradients of `examples` examples. That is n, unless some of the rows are
   * zeros that stand for no example, or several rows make up one.
   * @throws RowShapeError
   */
  add(rows: Float32Array, examples = rows.length / this.width): void {
    const count = Math.floor(rows.length / this.width);
    if (count * this.width !== rows.length)
      throw new RowShapeError(`${count} rows`, count * this.width, rows.length);
    this.examples += examples;
    if (count === 0) return;
    let offset = 0;
    this.columns.forEach(({ width }, i) => {
      this.sums[i]?.add(takeColumns(rows, this.width, offset, width), count);
      offset += width;
    });
  }

  /** Adds the rows of `store` that are written. One pass, a block in memory. */
  async addStore(store: GradientStoreReader, onProgress?: Progress): Promise<void> {
    for (const { first, count, rows } of store.blocks()) {
      let examples = 0;
      for (let example = first; example < first + count; example++) {
        if (store.isWritten(example)) examples++;
      }
      this.add(rows, examples); // rows never written are zeros, and add nothing
      onProgress?.(first + count, store.rows);
      await new Promise((resolve) => setImmediate(resolve)); // lets signals through
    }
  }

  /** The mean over all examples so far. @throws NonFiniteValueError */
  mean(): Autocorrelation {
    const { columns, examples } = this;
    const matrices = columns.map(({ layer, width }, i) => {
      const sum = this.sums[i]?.read() ?? new Float64Array(width * width);
      const mean = examples === 0 ? sum : sum.map((value) => value / examples);
      const bad = mean.find((value) => !Number.isFinite(value));
      if (bad !== undefined) throw new NonFiniteValueError('the autocorrelation of gradients', bad, layer);
      return mean;
    });
    return { examples, columns, matrices };
  }

  dispose(): void {
    for (const sum of this.sums) sum.dispose();
  }
}

/** The columns [n, width] from `offset` on of rows [n, rowWidth]. */
export function takeColumns(
  rows: Float32Array,
  rowWidth: number,
  offset: number,
  width: number,
): Float32Array {
  if (width === rowWidth) return rows;
  const count = rows.length / rowWidth;
  const taken = new Float32Array(count * width);
  for (let row = 0; row < count; row++) {
    const start = row * rowWidth + offset;
    taken.set(rows.subarray(start, start + width), row * width);
  }
  return taken;
}

/** Told how many of how many rows, or layers, are done. */
export type Progress = (done: number, total: number) => void;

/** The autocorrelation of a store's rows, those that are written. One pass, a block in memory. @throws AutocorrelationWidthError */
export async function autocorrelationOf(
  store: GradientStoreReader,
  onProgress?: Progress,
): Promise<Autocorrelation> {
  const sum = new AutocorrelationSum(store.columns);
  try {
    await sum.addStore(store, onProgress);
    return sum.mean();
  } finally {
    sum.dispose();
  }
}

/**
 * λ R_train + (1 - λ) R_query: common to both are directions that tell nothing of either, and are turned down.
 * TrackStar (Chang et al. 2024, arXiv 2410.17413), section 3.
 * @param share λ, from 0 to 1.
 * @throws LayoutMismatchError if they are not of the same columns.
 */
export function mixAutocorrelations(
  train: Autocorrelation,
  query: Autocorrelation,
  share: number,
): Autocorrelation {
  const [left, right] = [describeColumns(train.columns), describeColumns(query.columns)];
  if (left !== right)
    throw new LayoutMismatchError('the training rows', 'the query rows', 'columns', left, right);
  const matrices = train.matrices.map((matrix, i) =>
    matrix.map((value, j) => share * value + (1 - share) * (query.matrices[i]?.[j] ?? NaN)),
  );
  return { examples: train.examples + query.examples, columns: train.columns, matrices };
}
