/** How well exact and projected scores predict what unlearning digits does. */
import tf = require('@tensorflow/tfjs');
import { batchLoss, exampleOf, type Batch } from '../../lib/compiled-model';
import { GradientCollector } from '../../lib/gradient-collector';
import { spearman } from '../../lib/verification/correlation';
import { verifyPredictions } from '../../lib/verification/verify';
import type { TrainedDigits } from './trained-digits';
import { innerProduct } from '../../lib/inner-product';

const PROJECTION_DIMS = [4, 8, 16, 32] as const;

/** Spearman correlations with what was measured, one for each query: of exact scores, and of those by projection. */
export interface UnlearnedDigits {
  readonly exact: readonly number[];
  readonly projected: ReadonlyMap<number, readonly number[]>;
}

/** Unlearns the first `count` training digits for each of the first `queries` test digits. */
export async function unlearnDigits(
  { model, train, test }: TrainedDigits,
  count: number,
  queries: number,
): Promise<UnlearnedDigits> {
  const examples: Batch = { xs: train.xs.slice(0, count), ys: train.ys.slice(0, count) };
  const ids = Array.from({ length: count }, (_, i) => i);
  const exact: number[] = [];
  const projected = new Map<number, number[]>(PROJECTION_DIMS.map((dim) => [dim, []]));
  for (let i = 0; i < queries; i++) {
    const query = exampleOf(test, i);
    const found = verifyPredictions(model, () => batchLoss(model, query), { examples, ids }, {});
    const measured = found.map((example) => example.measured);
    exact.push(
      spearman(
        found.map(({ predicted }) => predicted),
        measured,
      ),
    );
    for (const [dim, correlations] of projected) {
      correlations.push(spearman(await projectedScores(model, query, examples, dim), measured));
    }
    tf.dispose([query.xs, query.ys]);
  }
  tf.dispose([examples.xs, examples.ys]);
  return { exact, projected };
}

async function projectedScores(
  model: tf.LayersModel,
  query: Batch,
  examples: Batch,
  projectionDim: number,
): Promise<number[]> {
  const collector = new GradientCollector(model, { projectionDim });
  const rowsOf = async (batch: Batch, count: number) => {
    const { loss, gradients } = collector.run(() => batchLoss(model, batch));
    loss.dispose();
    return collector.rows(gradients, count);
  };
  const row = await rowsOf(query, 1);
  const count = [examples.xs].flat()[0]?.shape[0] ?? 0;
  const all = await rowsOf(examples, count);
  collector.dispose();
  return Array.from({ length: count }, (_, i) =>
    innerProduct(row, all.subarray(i * row.length, (i + 1) * row.length)),
  );
}
