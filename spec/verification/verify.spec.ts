import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  AdamNormalizer,
  Attributor,
  GradientCollector,
  GradientCollectorCallback,
  InvalidOptionError,
  prepareForGradientCollection,
  type Normalizer,
  type RunOptions,
} from '../../callbacks';
import { batchLoss, exampleOf, type Batch } from '../../lib/compiled-model';
import { verifyPredictions } from '../../lib/verification/verify';
import { relativeError, ROUNDING } from '../support/closeness';
import { convolutionCase, denseCase, sequenceCase, twoByTwoCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const EXAMPLES = 24;
const IDS = Array.from({ length: EXAMPLES }, (_, i) => i);
const directory = temporaryDirectory();
let runs = 0;

/** A loss of a small network is rounded at 1e-7 of itself and curved over a step of 3e-4 of the weights. */
const AGREES = 0.99;

interface Case {
  readonly build: () => tf.LayersModel;
  readonly data: (examples: number) => Batch;
}

async function trained({ build, data }: Case): Promise<{ model: tf.LayersModel; batch: Batch }> {
  const model = build();
  const batch = data(EXAMPLES);
  await model.fit(batch.xs, batch.ys, { epochs: 2, batchSize: 8, verbose: 0 });
  return { model, batch };
}

function bytes(model: tf.LayersModel): number[][] {
  return model.getWeights().map((weight) => Array.from(weight.dataSync()));
}

/** The inner products of whole, normalised gradients as the collector makes them. */
async function exactScores(model: tf.LayersModel, query: Batch, batch: Batch, normalizer: Normalizer | null) {
  const rows = async (loss: () => tf.Scalar, lossReduction: 'mean' | 'sum', count: number) => {
    const collector = new GradientCollector(model, { projectionDim: 'exact', normalizer, lossReduction });
    const { gradients } = collector.run(loss);
    return collector.rows(gradients, count);
  };
  const queryRow = await rows(() => batchLoss(model, query), 'mean', 1);
  const all = await rows(() => batchLoss(model, batch), 'mean', EXAMPLES);
  return IDS.map((i) =>
    queryRow.reduce((sum, value, column) => sum + value * (all[i * queryRow.length + column] ?? NaN), 0),
  );
}

describe.each([denseCase, convolutionCase, sequenceCase, twoByTwoCase] as Case[])('$name', (each) => {
  it.each(['none', 'adam'])(
    'predicts, as scores of whole rows do, what unlearning changes (normalizer %s)',
    async (kind) => {
      const { model, batch } = await trained(each);
      const normalizer = kind === 'adam' ? new AdamNormalizer(model.optimizer) : null;
      const query = exampleOf(each.data(EXAMPLES + 1), EXAMPLES);
      const expected = await exactScores(model, query, batch, normalizer);
      const before = bytes(model);
      const tensors = tf.memory().numTensors;
      const found = verifyPredictions(
        model,
        () => batchLoss(model, query),
        { examples: batch, ids: IDS },
        { normalizer },
      );
      expect(tf.memory().numTensors).toBe(tensors);
      expect(bytes(model)).toEqual(before);
      const predicted = found.map((example) => example.predicted);
      expect(relativeError(predicted, expected)).toBeLessThan(ROUNDING);
      const measured = found.map((example) => example.measured);
      const largest = Math.max(...predicted.map(Math.abs));
      // The largest is right in size and sign, not only in order.
      const top = predicted.findIndex((value) => Math.abs(value) === largest);
      expect(Math.abs((measured[top] ?? NaN) - (predicted[top] ?? NaN)) / largest).toBeLessThan(0.05);
    },
  );
});

async function trainedRun(options: Partial<RunOptions>) {
  const run = path.join(directory, `run-${runs++}`);
  const model = prepareForGradientCollection(denseCase.build());
  const batch = denseCase.data(EXAMPLES);
  const collector = new GradientCollectorCallback({ path: run, index: false, ...options });
  await model.fit(batch.xs, batch.ys, { epochs: 3, batchSize: EXAMPLES, verbose: 0, callbacks: [collector] });
  return { run, model, batch };
}

describe('an attributor', () => {
  it.each([false, true])('verifies the scores of its run (optimizer state %s)', async (useOptimizerState) => {
    const { run, model, batch } = await trainedRun({ useOptimizerState, projectionDim: 'exact' });
    const attributor = await Attributor.open(run);
    const done: number[] = [];
    const query = denseCase.data(EXAMPLES + 4);
    const { examples, predicted, score } = await attributor.verify(model, query, {
      examples: batch,
      ids: IDS,
      onProgress: (count) => done.push(count),
    });
    await attributor.close();
    expect(examples.map(({ example }) => example)).toEqual(IDS);
    expect(done).toEqual(IDS.map((i) => i + 1));
    expect(predicted.pearson).toBeGreaterThan(AGREES);
    expect(predicted.spearman).toBeGreaterThan(AGREES);
    // Rows are of the weights before the last step, a hundredth away.
    expect(score.pearson).toBeGreaterThan(0.95);
  });

  it('refuses ids that are not one for each example, and steps that are no steps', async () => {
    const { run, model, batch } = await trainedRun({});
    const attributor = await Attributor.open(run);
    const query = exampleOf(batch, 0);
    await expect(attributor.verify(model, query, { examples: batch, ids: [1, 2] })).rejects.toThrow(
      '`ids` is 2; it must be 24, one for each of the examples',
    );
    await expect(
      attributor.verify(model, query, { examples: batch, ids: IDS, relativeStep: 0 }),
    ).rejects.toThrow(InvalidOptionError);
    await attributor.close();
  });
});
