/** Normalizers in runs of training: what the manifest says, what rows hold, and that queries are divided alike. */
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  fitNormalizer,
  GradientCollectorCallback,
  GradientStoreReader,
  NormalizerMismatchError,
  prepareForGradientCollection,
  Run,
  type LossBatch,
  type RunOptions,
} from '../../callbacks';
import fs from 'node:fs';
import { batchLoss } from '../../lib/compiled-model';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const EXAMPLES = 6;
const directory = temporaryDirectory();
let runs = 0;

/** Trains one step on all examples. */
async function train(optimizer: tf.Optimizer, options: Partial<RunOptions>) {
  const run = path.join(directory, `run-${runs++}`);
  const model = denseCase.build();
  model.compile({ optimizer, loss: 'categoricalCrossentropy' });
  prepareForGradientCollection(model);
  const { xs, ys } = denseCase.data(EXAMPLES);
  const collector = new GradientCollectorCallback({ path: run, index: false, ...options });
  await model.fit(xs, ys, { batchSize: EXAMPLES, verbose: 0, callbacks: [collector] });
  const store = GradientStoreReader.open(path.join(run, 'train', 'epoch_0'));
  const rows = Array.from({ length: EXAMPLES }, (_, example) => store.row(example));
  store.close();
  return { model, run, rows, xs, ys };
}

async function fitted(options = {}) {
  const model = denseCase.build();
  async function* all(): AsyncGenerator<LossBatch> {
    await Promise.resolve();
    const { xs, ys } = denseCase.data(EXAMPLES);
    const ids = Int32Array.from({ length: EXAMPLES }, (_, i) => i);
    const loss = () => tf.tidy(() => batchLoss(model, { xs, ys }).mul<tf.Scalar>(EXAMPLES));
    yield {
      ids,
      loss,
      dispose: () => {
        tf.dispose([xs, ys]);
      },
    };
  }
  return fitNormalizer(model, all(), 'adafactor', options);
}

it('says plainly that SGD divides by nothing, and asks such a run', async () => {
  const { model, run, rows, xs, ys } = await train(tf.train.sgd(0), { useOptimizerState: true });
  expect(Run.open(run).manifest.normalizer).toBe('identity');
  const attributor = await Attributor.open(run);
  const found = await attributor.queryRows(model, { xs, ys });
  await attributor.close();
  expect(
    relativeError(
      found.flatMap((row) => [...row]),
      rows.flatMap((row) => [...row]),
    ),
  ).toBeLessThan(ROUNDING);
});

it('multiplies rows by the learning rate of their step', async () => {
  const plain = await train(tf.train.adagrad(0.25), { normalizer: 'adagrad' });
  const scaled = await train(tf.train.adagrad(0.25), { normalizer: 'adagrad', scaleByLearningRate: true });
  expect(Run.open(scaled.run).manifest).toMatchObject({ normalizer: 'adagrad', scaledByLearningRate: true });
  const expected = plain.rows.flatMap((row) => [...row].map((value) => value * 0.25));
  expect(
    relativeError(
      scaled.rows.flatMap((row) => [...row]),
      expected,
    ),
  ).toBeLessThan(ROUNDING);
});

it('divides by moments from elsewhere, which the run keeps and queries are divided by', async () => {
  const normalizer = await fitted();
  const { model, run, rows, xs, ys } = await train(tf.train.sgd(0), { normalizer });
  const raw = await train(tf.train.sgd(0), {});
  normalizer.dispose();
  expect(Run.open(run).manifest.normalizer).toBe('adafactor');
  const attributor = await Attributor.open(run);
  const found = await attributor.queryRows(model, { xs, ys });
  await attributor.close();
  expect(
    relativeError(
      found.flatMap((row) => [...row]),
      rows.flatMap((row) => [...row]),
    ),
  ).toBeLessThan(ROUNDING);
  expect(relativeError([...(rows[0] ?? [])], [...(raw.rows[0] ?? [])])).toBeGreaterThan(1);
});

it('leaves nothing behind where the moments are not of this model', async () => {
  const normalizer = await fitted({ layers: ['head'] });
  const run = path.join(directory, `run-${runs}`);
  await expect(train(tf.train.sgd(0), { normalizer })).rejects.toThrow(NormalizerMismatchError);
  expect(fs.existsSync(run)).toBe(false);
});
