/** One number for each training example, from a run's stores, of which a block at a time is in memory. */
import type { Run } from '../../lib/run/run';
import { GradientStoreReader } from '../../lib/store/reader';
import { innerProduct } from '../../lib/inner-product';

/** The influence of each example on itself: the squared norm of its row, summed over `stores` of the run. */
export function selfInfluence(run: Run, stores: readonly string[]): Float64Array {
  return sumOverRows(run, stores, (row) => innerProduct(row, row));
}

/**
 * How much each example opposes queries: minus its mean influence on them, summed over `stores` of the run. Each
 * query's row [width] counts at unit length, or the few queries that the model gets most wrong would decide alone.
 */
export function opposingInfluence(
  run: Run,
  stores: readonly string[],
  queries: readonly Float32Array[],
): Float64Array {
  const mean = meanDirection(queries);
  return sumOverRows(run, stores, (row) => -innerProduct(row, mean));
}

/** The mean of `rows`, each [width], after dividing each by its norm; rows of norm 0 stay so. */
export function meanDirection(rows: readonly Float32Array[]): Float64Array {
  const mean = new Float64Array(rows[0]?.length ?? 0);
  for (const row of rows) {
    const scale = 1 / (rows.length * (Math.sqrt(innerProduct(row, row)) || 1));
    row.forEach((value, i) => {
      mean[i] = (mean[i] ?? 0) + scale * value;
    });
  }
  return mean;
}

function sumOverRows(
  run: Run,
  stores: readonly string[],
  value: (row: Float32Array) => number,
): Float64Array {
  const sums = new Float64Array(run.manifest.examples ?? 0);
  for (const name of stores) {
    const store = GradientStoreReader.open(run.storeDirectory(name));
    try {
      for (const { first, count, rows } of store.blocks()) {
        for (let i = 0; i < count; i++) {
          const row = rows.subarray(i * store.width, (i + 1) * store.width);
          sums[first + i] = (sums[first + i] ?? 0) + value(row);
        }
      }
    } finally {
      store.close();
    }
  }
  return sums;
}
