/**
 * The autocorrelation of gradients under the model's own labels: the curvature of its loss, in the coordinates of a run's rows.
 * That of the stored rows (the empirical Fisher) is not: where residuals are small, so is it, whatever the curvature
 * (Kunstner et al. 2019, arXiv 1905.12558).
 */
import type * as tf from '@tensorflow/tfjs';
import type { Attributor } from '../attributor';
import { lossNames } from '../compiled-model';
import { AlreadyPreconditionedError, UnknownCurvatureError } from '../errors';
import { GradientStoreReader } from '../store/reader';
import { AutocorrelationSum, type Autocorrelation } from './autocorrelation';
import { modelLabels, type LabelOptions } from './model-labels';

/** Inputs of N examples, as a model takes them. The caller disposes them. */
type Inputs = tf.Tensor | tf.Tensor[];

/**
 * The Fisher information of a compiled model over `inputs`, given in batches: hand it to `fitPreconditioner` as
 * `autocorrelation`, and q H⁻¹ g / N is by how much, to first order, the query's loss rises when training goes without the
 * example, N being the number of training examples and H damped as little as it bears (Koh & Liang 2017, arXiv 1703.04730).
 * Exact under `labels: 'every'` for linear maps under any of these losses, and Gauss-Newton's approximation otherwise.
 *
 * @param attributor Opened on the run whose projection, normalizer and layers the rows are to have.
 * @param model The run's, with one output [N, O] and a loss among meanSquaredError, binaryCrossentropy,
 *   categoricalCrossentropy and sparseCategoricalCrossentropy.
 * @throws UnknownCurvatureError, AlreadyPreconditionedError, ModelMismatchError, AutocorrelationWidthError
 * @example
 * const fisher = await fisherAutocorrelation(attributor, model, [xs]);
 * await fitPreconditioner(GradientStoreReader.open(run.storeDirectory()), { autocorrelation: fisher, damping: 1e-3 });
 */
export async function fisherAutocorrelation(
  attributor: Attributor,
  model: tf.LayersModel,
  inputs: Iterable<Inputs> | AsyncIterable<Inputs>,
  options: LabelOptions = {},
): Promise<Autocorrelation> {
  const { run, store, preconditioned } = attributor;
  if (preconditioned === 'rows') throw new AlreadyPreconditionedError(run.storeDirectory(store));
  const [loss = null, ...others] = lossNames(model);
  if (others.length > 0)
    throw new UnknownCurvatureError(null, model.outputs.map(({ shape }) => shape).flat(), []);
  const sum = new AutocorrelationSum(columnsOf(attributor));
  let first = 0;
  try {
    for await (const xs of inputs) {
      const predictions = model.predictOnBatch(xs) as tf.Tensor;
      try {
        let [examples] = predictions.shape as [number];
        const counted = examples;
        for (const { ys, weights } of modelLabels(loss, predictions, first, options)) {
          try {
            const rows = await attributor.queryRows(model, { xs, ys });
            sum.add(weighted(rows, weights), examples);
          } finally {
            ys.dispose();
          }
          examples = 0; // further labels are of the same examples
        }
        first += counted;
      } finally {
        predictions.dispose();
      }
    }
    return sum.mean();
  } finally {
    sum.dispose();
  }
}

function columnsOf({ run, store }: Attributor) {
  const reader = GradientStoreReader.open(run.storeDirectory(store));
  reader.close();
  return reader.columns;
}

/** The rows one after another, each times its weight. */
function weighted(rows: readonly Float32Array[], weights: Float64Array): Float32Array {
  const width = rows[0]?.length ?? 0;
  const block = new Float32Array(rows.length * width);
  rows.forEach((row, i) => {
    row.forEach((value, j) => {
      block[i * width + j] = value * (weights[i] ?? NaN);
    });
  });
  return block;
}
