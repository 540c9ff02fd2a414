import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  collectGradients,
  fisherAutocorrelation,
  fitPreconditioner,
  GradientStoreReader,
  type Autocorrelation,
} from '../../callbacks';
import { batchLoss } from '../../lib/compiled-model';
import { inner, solve } from '../preconditioners/support';
import { relativeError } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';
import {
  correlation,
  linearRegression,
  logisticRegression,
  regressionData,
  without,
  type RegressionData,
} from './regressions';

const root = temporaryDirectory();
const EXAMPLES = 300;
const QUERIES = 3;

/**
 * Rows are float32 gradients of a float32 model; where examples lie far on the wrong side of a sigmoid, 1 - p has lost
 * digits. Relative to the largest score.
 */
const SINGLE = 1e-4;

const cases = [
  {
    name: 'linear regression',
    regression: linearRegression,
    data: regressionData(3, EXAMPLES + QUERIES, false),
    activation: 'linear',
    loss: 'meanSquaredError',
  },
  {
    name: 'logistic regression',
    regression: logisticRegression,
    data: regressionData(5, EXAMPLES + QUERIES, true),
    activation: 'sigmoid',
    loss: 'binaryCrossentropy',
  },
] as const;

function toBatch({ inputs, targets }: RegressionData) {
  const xs = tf.tensor2d(inputs.map((input) => input.slice(0, -1)));
  return { xs, ys: tf.tensor2d(targets.map((target) => [target])) };
}

describe.each(cases)('influence in $name', ({ name, regression, data, activation, loss }) => {
  const training = { inputs: data.inputs.slice(0, EXAMPLES), targets: data.targets.slice(0, EXAMPLES) };
  const queries = { inputs: data.inputs.slice(EXAMPLES), targets: data.targets.slice(EXAMPLES) };
  const weights = regression.solve(training);
  const run = path.join(root, name);
  let model: tf.Sequential;
  let fisher: Autocorrelation;

  /** What going without each training example changes each query's loss by: [queries][examples]. */
  const retrained = training.inputs.map((_, example) =>
    regression.solve(without(training, example), weights),
  );
  const measured = queries.inputs.map((input, query) => {
    const target = queries.targets[query]!;
    const before = regression.loss(weights, input, target);
    return retrained.map((without) => regression.loss(without, input, target) - before);
  });

  beforeAll(async () => {
    model = tf.sequential({
      layers: [
        tf.layers.dense({ units: 1, activation, inputShape: [weights.length - 1], name: 'regression' }),
      ],
    });
    model.compile({ optimizer: 'sgd', loss });
    model.setWeights([
      tf.tensor2d(
        weights.slice(0, -1).map((weight) => [weight]),
        [weights.length - 1, 1],
      ),
      tf.tensor1d(weights.slice(-1)),
    ]);
    const batch = toBatch(training);
    const ids = Int32Array.from({ length: EXAMPLES }, (_, i) => i);
    const batches = [
      { ids, loss: () => batchLoss(model, batch).mul<tf.Scalar>(EXAMPLES), dispose: () => undefined },
    ];
    await collectGradients(model, batches, { path: run, projectionDim: 'exact', index: false });
    const attributor = await Attributor.open(run);
    fisher = await fisherAutocorrelation(attributor, model, [batch.xs]);
    await attributor.close();
  });

  /** Scores of each query for all training examples, by a preconditioner of `autocorrelation`, or of the rows. */
  async function scores(autocorrelation?: Autocorrelation): Promise<number[][]> {
    const store = GradientStoreReader.open(path.join(run, 'train', 'static'));
    const { preconditioner } = await fitPreconditioner(store, { autocorrelation, damping: 0, force: true });
    preconditioner.dispose();
    store.close();
    const attributor = await Attributor.open(run, { precondition: true });
    const traces = await attributor.trace(model, toBatch(queries), { k: EXAMPLES });
    await attributor.close();
    return traces.map(({ highest }) => {
      const byExample = [...highest].sort((a, b) => a.example - b.example);
      return byExample.map(({ score }) => score);
    });
  }

  it('has the curvature of the loss, exactly, from the model’s own labels', () => {
    expect(fisher.examples).toBe(EXAMPLES);
    const [matrix = []] = fisher.matrices;
    expect(relativeError(matrix, regression.hessian(weights, training).flat())).toBeLessThan(SINGLE);
  });

  it('equals the closed form q H⁻¹ g, and over the number of examples predicts retraining without each', async () => {
    const found = await scores(fisher);
    const hessian = regression.hessian(weights, training);
    queries.inputs.forEach((input, query) => {
      const solved = solve(hessian, regression.gradient(weights, input, queries.targets[query]!));
      const closed = training.inputs.map((x, n) =>
        inner(solved, regression.gradient(weights, x, training.targets[n]!)),
      );
      expect(relativeError(found[query]!, closed)).toBeLessThan(SINGLE);
      const predicted = found[query]!.map((score) => score / EXAMPLES);
      expect(correlation(predicted, measured[query]!)).toBeGreaterThan(0.99);
      // In nats, not only in order. Of second order is that an example pulls the solution its way, by its leverage h: the
      // change is 1 / (1 - h) times larger, and h is 1.7 % on average and more for the examples that matter.
      const slope = inner(predicted, measured[query]!) / inner(predicted, predicted);
      expect(Math.abs(slope - 1)).toBeLessThan(0.15);
    });
  });

  it('is predicted less well by the autocorrelation of the stored rows, which is no curvature', async () => {
    const [exact, empirical] = [await scores(fisher), await scores()];
    queries.inputs.forEach((_, query) => {
      const [right, wrong] = [exact, empirical].map((found) => correlation(found[query]!, measured[query]!));
      expect(right).toBeGreaterThan(wrong!);
    });
  });
});
