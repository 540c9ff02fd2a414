/** The influence of each example on itself: high for what nothing else in the data set explains, such as wrong labels. */
import type { Preconditioner } from '../preconditioners/preconditioner';
import type { Run } from '../run/run';
import { GradientStoreReader } from '../store/reader';
import { epochStores, stepRates } from './step-rates';

/**
 * g H⁻¹ g for each row g of `store`, or its squared norm without a preconditioner: [rows], NaN for rows never written. Its
 * root is what RelatIF divides scores by (Barshan et al. 2020, arXiv 2003.11630).
 */
export async function selfInfluence(
  store: GradientStoreReader,
  preconditioner: Preconditioner | null = null,
): Promise<Float64Array> {
  const result = new Float64Array(store.rows).fill(NaN);
  const { width } = store;
  for (const { first, count, rows } of store.blocks()) {
    const roots = preconditioner === null ? rows : preconditioner.applyToBlock(rows, 'inverse-root');
    for (let i = 0; i < count; i++) {
      if (!store.isWritten(first + i)) continue;
      let sum = 0;
      for (const value of roots.subarray(i * width, (i + 1) * width)) sum += value * value;
      result[first + i] = sum;
    }
    await new Promise((resolve) => setImmediate(resolve)); // lets signals through
  }
  return result;
}

/**
 * TracIn of each example with itself: Σ η g·g over the run's epochs, [examples], zero for those that no epoch saw.
 * @throws LearningRateError, InvalidOptionError as `tracIn`
 */
export async function selfInfluenceOverTraining(run: Run): Promise<Float64Array> {
  let total = new Float64Array(0);
  for (const { epoch, directory } of epochStores(run)) {
    const store = GradientStoreReader.open(directory);
    try {
      const rates = stepRates(run, epoch, store.rows);
      const values = await selfInfluence(store);
      const earlier = total;
      total = values.map((value, example) => {
        const added = store.isWritten(example) ? value * (rates[example] ?? NaN) : 0;
        return (earlier[example] ?? 0) + added;
      });
    } finally {
      store.close();
    }
  }
  return total;
}
