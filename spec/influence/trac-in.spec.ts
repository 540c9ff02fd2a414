import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  GradientCollectorCallback,
  GradientStoreReader,
  InvalidOptionError,
  LearningRateError,
  prepareForGradientCollection,
  Run,
  selfInfluenceOverTraining,
  tracIn,
  tracInCheckpoints,
  TrainingRecorder,
  type RunOptions,
} from '../../callbacks';
import { batchLoss } from '../../lib/compiled-model';
import { knownLearningRate } from '../../lib/normalizers/learning-rate';
import { inner } from '../preconditioners/support';
import { relativeError } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();
const EXAMPLES = 20;
/** Sums of float32 products in another order. */
const ROUNDING = 1e-6;
let runs = 0;

/** Lowers the rate of gradient descent from epoch to epoch. */
class Schedule extends tf.Callback {
  constructor(
    private readonly optimizer: tf.SGDOptimizer,
    private readonly rates: readonly number[],
  ) {
    super();
  }

  override onEpochBegin(epoch: number): Promise<void> {
    this.optimizer.setLearningRate(this.rates[epoch] ?? NaN);
    return Promise.resolve();
  }
}

async function train(rates: readonly number[], batchSize: number, options: Partial<RunOptions> = {}) {
  const run = path.join(directory, `run-${runs++}`);
  const model = denseCase.build();
  const optimizer = tf.train.sgd(1);
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  const { xs, ys } = denseCase.data(EXAMPLES);
  const losses = () =>
    Array.from({ length: EXAMPLES }, (_, i) =>
      tf.tidy(() => batchLoss(model, { xs: xs.slice(i, 1), ys: ys.slice(i, 1) }).dataSync()[0]!),
    );
  const before = losses();
  const collector = new GradientCollectorCallback({
    path: run,
    projectionDim: 'exact',
    index: false,
    trackOrder: true,
    ...options,
  });
  await prepareForGradientCollection(model).fit(xs, ys, {
    epochs: rates.length,
    batchSize,
    verbose: 0,
    callbacks: [new Schedule(optimizer, rates), collector],
  });
  const drops = losses().map((loss, i) => before[i]! - loss);
  return { run: Run.open(run), model, xs, ys, drops };
}

function rowsOf(run: Run, epoch: number): Float32Array[] {
  const store = GradientStoreReader.open(run.storeDirectory(`epoch_${epoch}`));
  const rows = Array.from({ length: EXAMPLES }, (_, i) => store.row(i));
  store.close();
  return rows;
}

it('weighs each row by the learning rate of its step over the size of its batch', async () => {
  const rates = [0.5, 0.05];
  const { run } = await train(rates, 8); // 8, 8 and 4
  const queries = [3, 11];
  const found = await tracIn(run, queries);
  const expected = queries.map(() => new Float64Array(EXAMPLES));
  for (const { epoch, examples } of run.trainingOrder()!.batches()) {
    const rows = rowsOf(run, epoch);
    for (const example of examples) {
      queries.forEach((query, i) => {
        expected[i]![example]! += (rates[epoch]! / examples.length) * inner(rows[example]!, rows[query]!);
      });
    }
  }
  found.forEach((scores, i) => {
    expect(relativeError(scores, expected[i]!)).toBeLessThan(ROUNDING);
  });
  const self = await selfInfluenceOverTraining(run);
  queries.forEach((query, i) => {
    expect(Math.abs(self[query]! / found[i]![query]! - 1)).toBeLessThan(ROUNDING);
  });
  expect(Math.min(...self)).toBeGreaterThan(0);
});

it('adds up, over all examples, to what training took off a query’s loss', async () => {
  const { run, drops } = await train([0.004, 0.002, 0.002], EXAMPLES); // a step an epoch
  const ids = Array.from({ length: EXAMPLES }, (_, i) => i);
  const scores = await tracIn(run, ids);
  const predicted = scores.map((all) => all.reduce((sum, score) => sum + score));
  // Of second order in steps of 0.004, and the rounding of a difference of two float32 losses.
  expect(relativeError(predicted, drops)).toBeLessThan(0.02);
});

it('takes rows of queries made at each epoch’s weights, and checkpoints of any origin', async () => {
  const { run } = await train([0.5, 0.05], 8);
  const [byExample] = await tracIn(run, [7]);
  const epochs: number[] = [];
  const [byRows] = await tracIn(run, (epoch) => {
    epochs.push(epoch);
    return Promise.resolve([rowsOf(run, epoch)[7]!]);
  });
  expect(epochs).toEqual([0, 1]);
  expect(byRows).toEqual(byExample);

  const checkpoints = [0, 1].map((epoch) => ({
    store: run.storeDirectory(`epoch_${epoch}`),
    rates: epoch + 1,
    queries: [rowsOf(run, epoch)[7]!],
  }));
  const [scores] = await tracInCheckpoints(checkpoints);
  const expected = Array.from({ length: EXAMPLES }, (_, example) =>
    [0, 1].reduce((sum, epoch) => {
      const rows = rowsOf(run, epoch);
      return sum + (epoch + 1) * inner(rows[example]!, rows[7]!);
    }, 0),
  );
  expect(relativeError(scores!, expected)).toBeLessThan(ROUNDING);
  const uneven = [checkpoints[0]!, { ...checkpoints[1]!, queries: [] }];
  await expect(tracInCheckpoints(uneven)).rejects.toThrow(InvalidOptionError);
});

it('counts a step of a summed loss in full, and records what each step weighed its examples by', async () => {
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(6);
  for (const [lossReduction, lossWeight] of [
    ['mean', 1 / 6],
    ['sum', 1],
  ] as const) {
    const run = path.join(directory, `run-${runs++}`);
    const optimizer = tf.train.sgd(0.25);
    const recorder = TrainingRecorder.start(model, {
      path: run,
      index: false,
      trackOrder: true,
      lossReduction,
      optimizer,
    });
    recorder.beginEpoch(0);
    await recorder.step([0, 1, 2, 3, 4, 5], () => {
      optimizer.minimize(() => batchLoss(model, { xs, ys }).mul<tf.Scalar>(6 * lossWeight));
    });
    await recorder.endEpoch();
    await recorder.finish();
    const [batch] = Run.open(run).trainingOrder()!.batches();
    expect(batch).toMatchObject({ step: 0, learningRate: 0.25, lossWeight });
    expect(await tracIn(Run.open(run), [0])).toHaveLength(1);
  }
});

it('reads the rate of every optimizer at the moment, and Adamax’s as it decays', () => {
  const rates = [
    tf.train.sgd(0.1),
    tf.train.momentum(0.1, 0.9),
    tf.train.adam(0.1),
    tf.train.rmsprop(0.1),
    tf.train.adagrad(0.1),
    tf.train.adadelta(0.1),
    tf.train.adamax(0.1),
  ].map(knownLearningRate);
  expect(rates).toEqual(rates.map(() => 0.1));
  const adamax = tf.train.adamax(0.1, 0.9, 0.999, 1e-8, 0.5);
  const weight = tf.variable(tf.scalar(1));
  expect(knownLearningRate(adamax)).toBeCloseTo(0.1, 10);
  adamax.minimize(() => weight.square());
  adamax.minimize(() => weight.square());
  expect(knownLearningRate(adamax)).toBeCloseTo(0.1 / 1.5, 7); // the second step's
  expect(knownLearningRate(undefined)).toBeNull();
});

it('refuses runs that did not record what it takes', async () => {
  const { run: untracked } = await train([0.1], 8, { trackOrder: false });
  await expect(tracIn(untracked, [0])).rejects.toThrow(LearningRateError);
  await expect(tracIn(untracked, [0])).rejects.toThrow(/trackOrder: true/);
  const { run: scaled } = await train([0.1], 8, { scaleByLearningRate: true });
  await expect(tracIn(scaled, [0])).rejects.toThrow(/not multiplied by learning rates already/);
  await expect(selfInfluenceOverTraining(scaled)).rejects.toThrow(InvalidOptionError);
  const { run: summed } = await train([0.1], 8, { accumulate: true });
  await expect(tracIn(summed, [0])).rejects.toThrow(InvalidOptionError);
});
