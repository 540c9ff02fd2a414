import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  GradientCollectorCallback,
  GradientStoreReader,
  prepareForGradientCollection,
  Run,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchLoss } from '../../lib/compiled-model';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { expectUnchanged, relativeError, ROUNDING } from '../support/closeness';
import { convolutionCase, denseCase, sequenceCase, type TrainingCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { expectFlatCount } from './flat-count';

const EXAMPLES = 11;
const BATCH_SIZE = 4; // the last batch of each epoch is ragged

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

function weightsOf(model: tf.LayersModel): number[][] {
  return model.getWeights().map((weight) => Array.from(weight.dataSync()));
}

async function train(
  { build, data }: TrainingCase,
  callbacks: tf.Callback[],
  options: Partial<tf.ModelFitArgs> = {},
  examples = EXAMPLES,
): Promise<tf.LayersModel> {
  const model = prepareForGradientCollection(build());
  const { xs, ys } = data(examples);
  await model.fit(xs, ys, { batchSize: BATCH_SIZE, epochs: 2, verbose: 0, ...options, callbacks });
  tf.dispose([xs, ys]);
  return model;
}

describe.each([denseCase, convolutionCase, sequenceCase])('training $name', (trainingCase) => {
  it.each([false, true])(
    'writes the gradients a batch-of-one loop gives, in data-set order (shuffle %s)',
    async (shuffle) => {
      // With one batch an epoch the weights at an example's step are those at the start of the epoch.
      const run = newPath();
      const before = trainingCase.build();
      const collector = new GradientCollectorCallback({ path: run, projectionDim: 'exact', index: false });
      await train(trainingCase, [collector], { epochs: 1, batchSize: EXAMPLES, shuffle });

      const { xs, ys } = trainingCase.data(EXAMPLES);
      const parts = findAttributedLayers(before, { includeBias: true }).flatMap((layer) => layer.parts);
      const loss = (model: tf.LayersModel, [x, y]: tf.Tensor[]) =>
        batchLoss(model, { xs: x as tf.Tensor, ys: y as tf.Tensor });
      const oracle = batchOfOneGradients(before, parts, loss, [xs, ys]);
      const store = GradientStoreReader.open(Run.open(run).storeDirectory());
      for (let example = 0; example < EXAMPLES; example++) {
        const expected = parts.flatMap((part) => Array.from(oracle.get(part.path)?.[example] ?? []));
        expect(relativeError(store.row(example), expected)).toBeLessThan(ROUNDING);
      }
      store.close();
      tf.dispose([xs, ys]);
    },
  );

  it('ends with the same weights as without the callback, to the bit', async () => {
    const collector = new GradientCollectorCallback({
      path: newPath(),
      index: false,
      useOptimizerState: true,
    });
    const collected = await train(trainingCase, [collector], { shuffle: false });
    const untouched = trainingCase.build();
    const { xs, ys } = trainingCase.data(EXAMPLES);
    await untouched.fit(xs, ys, { batchSize: BATCH_SIZE, epochs: 2, verbose: 0, shuffle: false });
    expectUnchanged(weightsOf(collected), weightsOf(untouched));
  });

  it('replays to the same weights from the recorded order', async () => {
    const run = newPath();
    const trained = await train(trainingCase, [
      new GradientCollectorCallback({ path: run, trackOrder: true, index: false }),
    ]);
    const replayed = trainingCase.build();
    const { xs, ys } = trainingCase.data(EXAMPLES);
    const batches = [...(Run.open(run).trainingOrder()?.batches() ?? [])];
    expect(batches.map(({ step, epoch }) => [step, epoch])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 1],
      [5, 1],
    ]);
    for (const { examples } of batches) {
      const ids = tf.tensor1d(examples, 'int32');
      await replayed.trainOnBatch(tf.gather(xs, ids), tf.gather(ys, ids));
    }
    expectUnchanged(weightsOf(replayed), weightsOf(trained));
  });

  it('ranks the copy of a training example highest for a query on it', async () => {
    const run = newPath();
    const model = await train(
      trainingCase,
      [new GradientCollectorCallback({ path: run, trackOrder: true, index: false })],
      {
        epochs: 1,
        batchSize: EXAMPLES,
      },
    );
    const attributor = await Attributor.open(run);
    const [trace] = await attributor.search([attributor.row(5)], { k: 3, unitNorm: true });
    expect(trace?.highest[0]?.example).toBe(5);
    expect(trace?.highest[0]?.seen).toEqual([{ step: 0, epoch: 0 }]);
    await attributor.close();
    model.dispose();
  });
});

it('weights each example as training does: by its class', async () => {
  const [plain, weighted] = [newPath(), newPath()];
  const options = { epochs: 1, batchSize: EXAMPLES, shuffle: false };
  const classWeight = { 0: 1, 1: 2.5, 2: 0.25 };
  await train(denseCase, [new GradientCollectorCallback({ path: plain, index: false })], options);
  const collector = new GradientCollectorCallback({ path: weighted, index: false });
  await train(denseCase, [collector], { ...options, classWeight });
  const { xs, ys } = denseCase.data(EXAMPLES);
  const classes = tf.tidy(() => Array.from(ys.argMax(-1).dataSync()));
  tf.dispose([xs, ys]);
  const [before, after] = [plain, weighted].map((run) =>
    GradientStoreReader.open(Run.open(run).storeDirectory()),
  );
  classes.forEach((label, example) => {
    const weight = classWeight[label as 0 | 1 | 2];
    const expected = before!.row(example).map((value) => value * weight);
    expect(relativeError(after!.row(example), expected)).toBeLessThan(ROUNDING);
  });
  before!.close();
  after!.close();
});

it('keeps a store for each epoch, and says which steps were whose', async () => {
  const run = newPath();
  await train(denseCase, [new GradientCollectorCallback({ path: run, index: false })], { epochs: 3 });
  const { stores, manifest } = Run.open(run);
  expect(stores).toEqual(['epoch_0', 'epoch_1', 'epoch_2']);
  expect(manifest.state).toBe('complete');
  expect(manifest.epochs).toEqual([0, 1, 2].map((epoch) => ({ epoch, steps: 3, rows: EXAMPLES })));
  expect(manifest.coverage.attributed).toBe(manifest.coverage.trained);
});

it('accumulates the epochs into their sum', async () => {
  const [apart, together] = [newPath(), newPath()];
  const options = { shuffle: false, epochs: 3 };
  await train(denseCase, [new GradientCollectorCallback({ path: apart, index: false })], options);
  await train(
    denseCase,
    [new GradientCollectorCallback({ path: together, index: false, accumulate: true })],
    options,
  );
  const sum = [0, 1, 2].map((epoch) => {
    const store = GradientStoreReader.open(Run.open(apart).storeDirectory(`epoch_${epoch}`));
    const row = store.row(7);
    store.close();
    return row;
  });
  const run = Run.open(together);
  expect(run.stores).toEqual(['accumulated']);
  const accumulated = GradientStoreReader.open(run.storeDirectory());
  const expected = sum.reduce((total, row) => total.map((value, i) => value + (row[i] ?? NaN)));
  expect(relativeError(accumulated.row(7), expected)).toBeLessThan(ROUNDING);
  accumulated.close();
});

it('weights the first step like the last: Adam makes a first step of gradients of size one', async () => {
  // After one step from zero state v̂ is g² exactly, so a batch of one has G / (sqrt(v̂) + ε) = ±1 where G is not tiny.
  const run = newPath();
  const collector = new GradientCollectorCallback({
    path: run,
    projectionDim: 'exact',
    useOptimizerState: true,
    index: false,
  });
  await train(denseCase, [collector], { epochs: 1, batchSize: 1, shuffle: false }, 1);
  const store = GradientStoreReader.open(Run.open(run).storeDirectory());
  const sizes = Array.from(store.row(0), Math.abs).filter((size) => size > 0.01);
  store.close();
  expect(sizes.length).toBeGreaterThan(20);
  for (const size of sizes) expect(size).toBeCloseTo(1, 2);
});

it('leaves the count of tensors flat from step to step', async () => {
  await expectFlatCount(newPath(), 50);
});

it('lets timers and signals through while it trains, so that a program can stop', async () => {
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(4000);
  setTimeout(() => {
    model.stopTraining = true;
  }, 1);
  const collector = new GradientCollectorCallback({ path: newPath(), index: false });
  const { epoch } = await model.fit(xs, ys, {
    batchSize: 1,
    epochs: 1000,
    verbose: 0,
    callbacks: [collector],
  });
  expect(epoch).toEqual([0]);
});

it('works beside plain callback objects, which tfjs wraps', async () => {
  const run = newPath();
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(EXAMPLES);
  let epochs = 0;
  const plain = {
    onEpochEnd: () => {
      epochs++;
    },
  };
  const collector = new GradientCollectorCallback({ path: run, index: false });
  await model.fit(xs, ys, {
    epochs: 2,
    verbose: 0,
    callbacks: [plain, collector] as unknown as tf.Callback[],
  });
  expect(epochs).toBe(2);
  expect(Run.open(run).manifest.state).toBe('complete');
});

it('leaves out layers by `layers`, and says how much is attributed', async () => {
  const run = newPath();
  await train(denseCase, [
    new GradientCollectorCallback({ path: run, layers: ['head'], includeBias: false, index: false }),
  ]);
  const { manifest } = Run.open(run);
  expect(manifest.layers.map(({ path: name }) => name)).toEqual(['head']);
  expect(manifest.coverage).toMatchObject({ attributed: 24, trained: 75 });
});

describe('refuses', () => {
  const collect = (options: object, trainingCase = denseCase, fit: Partial<tf.ModelFitArgs> = {}) =>
    train(trainingCase, [new GradientCollectorCallback({ path: newPath(), index: false, ...options })], fit);

  it('an unprepared model', async () => {
    const model = denseCase.build();
    const { xs, ys } = denseCase.data(4);
    const collector = new GradientCollectorCallback({ path: newPath() });
    await expect(model.fit(xs, ys, { verbose: 0, callbacks: [collector] })).rejects.toThrow(
      /not prepared.*prepareForGradientCollection/,
    );
  });

  it('a run path that is not empty, and leaves it as it was', async () => {
    const run = newPath();
    fs.mkdirSync(run);
    fs.writeFileSync(path.join(run, 'notes.txt'), 'mine');
    await expect(collect({ path: run })).rejects.toThrow(/exists and is not empty/);
    expect(fs.readdirSync(run)).toEqual(['notes.txt']);
  });

  it('layers that do not exist', async () => {
    await expect(collect({ layers: ['hidden', 'haed'] })).rejects.toThrow(
      /`haed`.*the model has `hidden`, `head`/,
    );
  });

  it('another optimizer than the one whose state is asked for', async () => {
    await expect(collect({ normalizer: 'adagrad' })).rejects.toThrow(/Adagrad.*Adam|Adam.*Adagrad/i);
  });

  it('a gradient that is not finite, naming layer, step and example, with nothing of the step stored', async () => {
    const run = newPath();
    const broken: TrainingCase = {
      ...denseCase,
      data: (examples) => {
        const { xs, ys } = denseCase.data(examples);
        const values = xs.arraySync() as number[][];
        values[6] = [1, NaN, 1, 1, 1];
        return { xs: tf.tensor2d(values), ys };
      },
    };
    await expect(collect({ path: run }, broken, { shuffle: false })).rejects.toThrow(
      /layer `hidden` for example 6 is NaN at step 1/,
    );
    const opened = Run.open(run);
    expect(opened.describe()).toMatch(/unfinished/);
    const store = GradientStoreReader.open(opened.storeDirectory());
    expect(store.rowsWritten).toBe(BATCH_SIZE);
    store.close();
  });
});
