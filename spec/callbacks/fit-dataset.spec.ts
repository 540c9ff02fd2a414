import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  Attributor,
  ExampleIdsError,
  GradientCollectorCallback,
  GradientStoreReader,
  InvalidOptionError,
  prepareForGradientCollection,
  Run,
  undoGradientCollection,
  withExampleIds,
  type RunOptions,
} from '../../callbacks';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { datasetOf } from '../support/ways-of-training';

const EXAMPLES = 22;
const BATCH_SIZE = 8;

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

const model = () => prepareForGradientCollection(denseCase.build());

function examples(count = EXAMPLES) {
  const { xs, ys } = denseCase.data(count);
  const dataset = datasetOf(denseCase.build(), { xs: [xs], ys: [ys] });
  const classes = tf.tidy(() => Array.from(ys.argMax(-1).dataSync()));
  tf.dispose([xs, ys]);
  return { dataset, classes };
}

/** The same elements from a generator, which tells nobody how many there are. */
function unsized<T extends tf.TensorContainer>(dataset: tf.data.Dataset<T>): tf.data.Dataset<T> {
  return tf.data.generator(async function* () {
    for (const element of await dataset.toArray()) yield element;
  });
}

async function train(
  batches: tf.data.Dataset<tf.TensorContainer>,
  options: Partial<RunOptions> = {},
  args: Partial<tf.ModelFitDatasetArgs<tf.TensorContainer>> = {},
): Promise<{ run: string; trained: tf.LayersModel }> {
  const run = options.path ?? newPath();
  const trained = model();
  const collector = new GradientCollectorCallback({ path: run, index: false, trackOrder: true, ...options });
  await trained.fitDataset(batches, { epochs: 1, verbose: 0, callbacks: [collector], ...args });
  return { run, trained };
}

const seenBy = (run: string) =>
  [...(Run.open(run).trainingOrder()?.batches() ?? [])].map(({ examples: ids }) => Array.from(ids));

it('numbers examples before they are shuffled, in every epoch anew', async () => {
  const { run } = await train(
    withExampleIds(examples().dataset).shuffle(EXAMPLES).batch(BATCH_SIZE),
    {},
    {
      epochs: 3,
    },
  );
  const seen = seenBy(run);
  for (const epoch of [0, 1, 2]) {
    const ids = seen.slice(3 * epoch, 3 * epoch + 3).flat();
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: EXAMPLES }, (_, i) => i));
  }
});

it('numbers the lines of a CSV file', async () => {
  const file = path.join(directory, 'lines.csv');
  const lines = Array.from({ length: 9 }, (_, i) => [i, 1, 2, 3, 4, i % 3].join(','));
  fs.writeFileSync(file, ['a,b,c,d,e,label', ...lines].join('\n'));
  const csv = tf.data.csv(`file://${file}`, { columnConfigs: { label: { isLabel: true } } });
  const batches = withExampleIds(csv)
    .map((element) => {
      const { xs, ys, exampleId } = element as unknown as Record<'xs' | 'ys', Record<string, number>> & {
        exampleId: number;
      };
      return { xs: Object.values(xs), ys: [0, 1, 2].map((label) => Number(label === ys.label)), exampleId };
    })
    .batch(4);
  const { run } = await train(batches, {}, { epochs: 2 });
  expect(Run.open(run).manifest).toMatchObject({ examples: 9, epochs: [{ rows: 9 }, { rows: 9 }] });
});

it('keeps the ids of elements that are mapped and filtered on the way', async () => {
  const numbered = withExampleIds(examples().dataset);
  const even = numbered.filter(({ exampleId }) => exampleId % 2 === 0).map((element) => ({ ...element }));
  const { run } = await train(even.batch(BATCH_SIZE));
  expect(seenBy(run).flat()).toEqual([0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  const store = GradientStoreReader.open(Run.open(run).storeDirectory());
  expect(store).toMatchObject({ rows: 21, rowsWritten: 11 });
  store.close();
});

it('says the size of a data set that has one', () => {
  const { dataset } = examples();
  expect(withExampleIds(dataset).size).toBe(EXAMPLES);
  expect(withExampleIds(unsized(dataset)).size).toBeNull();
});

it('takes the ids that a data set brings along, batched by the caller', async () => {
  const { xs, ys } = denseCase.data(4);
  const batches = tf.data.generator(function* () {
    for (const first of [2, 0]) {
      const exampleId = tf.tensor1d([first, first + 1], 'int32');
      yield { xs: xs.slice(first, 2), ys: ys.slice(first, 2), exampleId };
    }
  } as () => Iterator<tf.TensorContainerObject>);
  const { run } = await train(batches);
  expect(seenBy(run)).toEqual([
    [2, 3],
    [0, 1],
  ]);
});

describe('a data set of unknown size', () => {
  it('gets as many rows as it has examples', async () => {
    const { run } = await train(
      withExampleIds(unsized(examples().dataset)).batch(BATCH_SIZE),
      {},
      { epochs: 2 },
    );
    const opened = Run.open(run);
    expect(opened.manifest).toMatchObject({
      examples: EXAMPLES,
      epochs: [0, 1].map((epoch) => ({ epoch, steps: 3, rows: EXAMPLES })),
    });
    for (const name of opened.stores) {
      const store = GradientStoreReader.open(opened.storeDirectory(name));
      expect(store).toMatchObject({ state: 'complete', rows: EXAMPLES, rowsWritten: EXAMPLES });
      store.close();
    }
  });

  it.each([false, true])(
    'of which an epoch is a part goes on where the last epoch ended (accumulate %s)',
    async (accumulate) => {
      // Three epochs of two batches of 4 over 22 examples, which `repeat` begins again.
      const batches = withExampleIds(examples().dataset).repeat().batch(4);
      const { run } = await train(batches, { accumulate }, { epochs: 3, batchesPerEpoch: 2 });
      expect(seenBy(run)).toEqual(
        [0, 4, 8, 12, 16, 20].map((first) => [0, 1, 2, 3].map((i) => (first + i) % EXAMPLES)),
      );
      const opened = Run.open(run);
      expect(opened.manifest.examples).toBe(EXAMPLES);
      const stores = opened.stores.map((name) => GradientStoreReader.open(opened.storeDirectory(name)));
      expect(stores.map(({ rows, rowsWritten }) => [rows, rowsWritten])).toEqual(
        accumulate
          ? [[EXAMPLES, EXAMPLES]]
          : [
              [8, 8],
              [16, 8],
              [EXAMPLES, 8],
            ],
      );
      for (const store of stores) store.close();
    },
  );

  it('is found again when training stops in its first epoch, by an error', async () => {
    class Fail extends tf.Callback {
      override onBatchBegin(batch: number): Promise<void> {
        return batch === 2 ? Promise.reject(new Error('no more')) : Promise.resolve();
      }
    }
    const run = newPath();
    const collector = new GradientCollectorCallback({ path: run, index: false });
    const batches = withExampleIds(unsized(examples().dataset)).batch(BATCH_SIZE);
    const callbacks = [collector, new Fail()];
    await expect(model().fitDataset(batches, { epochs: 1, verbose: 0, callbacks })).rejects.toThrow(
      'no more',
    );
    const opened = Run.open(run);
    expect(opened.manifest).toMatchObject({ state: 'training', examples: null, epochs: [] });
    expect(opened.describe()).toMatch(/0 finished epochs over an unknown number of examples/);
    const attributor = await Attributor.open(run);
    const [trace] = await attributor.search([attributor.row(5)], { k: 2 * BATCH_SIZE });
    expect(trace?.highest).toHaveLength(2 * BATCH_SIZE);
    await attributor.close();
  });

  it('has as many examples as records, where the run is told of them', async () => {
    const records = Array.from({ length: EXAMPLES }, (_, i) => ({ label: i }));
    const batches = withExampleIds(unsized(examples().dataset)).batch(BATCH_SIZE);
    const { run } = await train(batches, { examples: records });
    expect(Run.open(run).manifest.examples).toBe(EXAMPLES);
    await expect(train(batches, { examples: records.slice(1) })).rejects.toThrow(
      /example 21 is not among the 21 rows/,
    );
  });
});

it('weights each example by its class, as training does', async () => {
  const { dataset, classes } = examples();
  const batches = withExampleIds(dataset).batch(EXAMPLES);
  const classWeight = { 0: 1, 1: 2.5, 2: 0.25 };
  const plain = await train(batches);
  const weighted = await train(batches, {}, { classWeight });
  const [before, after] = [plain, weighted].map(({ run }) =>
    GradientStoreReader.open(Run.open(run).storeDirectory()),
  );
  classes.forEach((label, example) => {
    const expected = before!.row(example).map((value) => value * classWeight[label as 0 | 1 | 2]);
    expect(relativeError(after!.row(example), expected)).toBeLessThan(ROUNDING);
  });
  before!.close();
  after!.close();
});

it.each(['a data set', 'tensors'])(
  'captures nothing of the validation on %s, and frees its ids',
  async (form) => {
    const { dataset } = examples();
    const { xs, ys } = denseCase.data(EXAMPLES);
    const validationData = form === 'tensors' ? [xs, ys] : withExampleIds(dataset).batch(5);
    const once = async () => {
      const { run, trained } = await train(
        withExampleIds(dataset).batch(BATCH_SIZE),
        {},
        {
          epochs: 2,
          validationData: validationData as tf.data.Dataset<tf.TensorContainer>,
        },
      );
      trained.optimizer.dispose();
      trained.dispose();
      return run;
    };
    const run = await once();
    expect(seenBy(run).map((ids) => ids.length)).toEqual([8, 8, 6, 8, 8, 6]);
    expect(Run.open(run).manifest.epochs.map(({ steps }) => steps)).toEqual([3, 3]);
    const before = tf.memory().numTensors;
    await once();
    expect(tf.memory().numTensors).toBe(before);
  },
);

it('is complete when training stops inside an epoch, and says what it holds', async () => {
  class Stop extends tf.Callback {
    override onBatchEnd(batch: number): Promise<void> {
      if (batch === 1) stopped.stopTraining = true;
      return Promise.resolve();
    }
  }
  const stopped = model();
  const run = newPath();
  const collector = new GradientCollectorCallback({ path: run, index: false });
  const batches = withExampleIds(examples().dataset).batch(BATCH_SIZE);
  await stopped.fitDataset(batches, { epochs: 5, verbose: 0, callbacks: [collector, new Stop()] });
  expect(Run.open(run).manifest).toMatchObject({
    state: 'complete',
    examples: 16,
    epochs: [{ epoch: 0, steps: 2, rows: 16 }],
  });
});

it('keeps no store of epochs for which the data set had run out', async () => {
  const warning = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  const batches = withExampleIds(examples().dataset).batch(BATCH_SIZE);
  const { run } = await train(batches, {}, { epochs: 3, batchesPerEpoch: 3 });
  expect(warning).toHaveBeenCalled();
  warning.mockRestore();
  const opened = Run.open(run);
  expect(opened.stores).toEqual(['epoch_0']);
  expect(opened.manifest.epochs.map(({ steps, rows }) => [steps, rows])).toEqual([
    [3, EXAMPLES],
    [0, 0],
    [0, 0],
  ]);
});

it('is not disturbed by a training that tfjs refuses meanwhile', async () => {
  const batches = withExampleIds(examples().dataset).batch(BATCH_SIZE);
  const trained = model();
  class Intrude extends tf.Callback {
    override async onBatchBegin(): Promise<void> {
      await expect(trained.fitDataset(batches, { epochs: 1, verbose: 0 })).rejects.toThrow(/ongoing/);
    }
  }
  const run = newPath();
  const collector = new GradientCollectorCallback({ path: run, index: false });
  await trained.fitDataset(batches, { epochs: 1, verbose: 0, callbacks: [collector, new Intrude()] });
  expect(Run.open(run).manifest.epochs).toEqual([{ epoch: 0, steps: 3, rows: EXAMPLES }]);
});

it('captures no other step of the model, which a callback trains it by', async () => {
  const trained = model();
  const { xs, ys } = denseCase.data(4);
  class Other extends tf.Callback {
    override async onBatchEnd(): Promise<void> {
      await trained.trainOnBatch(xs, ys);
    }
  }
  const run = newPath();
  const collector = new GradientCollectorCallback({ path: run, index: false, trackOrder: true });
  const batches = withExampleIds(examples().dataset).batch(BATCH_SIZE);
  await trained.fitDataset(batches, { epochs: 1, verbose: 0, callbacks: [collector, new Other()] });
  expect(seenBy(run).map((ids) => ids.length)).toEqual([8, 8, 6]);
});

it('trains a prepared model without a callback, with or without ids, as any other', async () => {
  const { dataset } = examples();
  const weights = (trained: tf.LayersModel) => trained.getWeights().map((weight) => [...weight.dataSync()]);
  const untouched = denseCase.build();
  await untouched.fitDataset(dataset.batch(BATCH_SIZE), { epochs: 1, verbose: 0 });
  for (const batches of [dataset.batch(BATCH_SIZE), withExampleIds(dataset).batch(BATCH_SIZE)]) {
    const before = tf.memory().numTensors;
    const prepared = model();
    await prepared.fitDataset(batches, { epochs: 1, verbose: 0 });
    prepared.optimizer.dispose();
    expect(weights(prepared)).toEqual(weights(untouched));
    prepared.dispose();
    expect(tf.memory().numTensors).toBe(before);
  }
});

describe('refuses', () => {
  const collect = (batches: tf.data.Dataset<tf.TensorContainer>, run = newPath()) =>
    train(batches, { path: run });

  it('a data set without ids, saying what to write, and leaves nothing behind', async () => {
    const run = newPath();
    const failure = collect(examples().dataset.batch(BATCH_SIZE), run);
    await expect(failure).rejects.toThrow(ExampleIdsError);
    await expect(failure).rejects.toThrow(/`withExampleIds\(dataset\)\.shuffle\(…\)\.batch\(…\)`/);
    expect(fs.existsSync(run)).toBe(false);
  });

  it('a model that is not prepared, or no longer', async () => {
    const batches = withExampleIds(examples().dataset).batch(BATCH_SIZE);
    for (const unprepared of [denseCase.build(), undoGradientCollection(model())]) {
      const collector = new GradientCollectorCallback({ path: newPath() });
      await expect(
        unprepared.fitDataset(batches, { epochs: 1, verbose: 0, callbacks: [collector] }),
      ).rejects.toThrow(/not prepared.*prepareForGradientCollection/);
    }
  });

  it.each([
    ['no whole number', 0.5],
    ['negative', -1],
    ['beyond the whole numbers of float32', 2 ** 24],
  ])('an id that is %s', async (_, exampleId) => {
    const batches = examples()
      .dataset.map((element) => ({ ...element, exampleId }))
      .batch(BATCH_SIZE);
    await expect(collect(batches)).rejects.toThrow(InvalidOptionError);
  });

  it('to number a data set that repeats forever', () => {
    expect(() => withExampleIds(examples().dataset.repeat())).toThrow(/repeats forever/);
  });

  it.each([
    ['arrays', tf.data.array([[1, 2]])],
    ['tensors', tf.data.generator(() => [tf.scalar(1)][Symbol.iterator]())],
    ['numbered', withExampleIds(tf.data.array([{ xs: 1 }]))],
  ])('to number elements that are %s', async (_, dataset) => {
    const numbered = withExampleIds(dataset as unknown as tf.data.Dataset<{ xs: number }>);
    await expect(numbered.toArray()).rejects.toThrow(/element 0 of the data set is not an object without/);
  });

  it('ids of another number than the batch has examples', async () => {
    const { xs, ys } = denseCase.data(4);
    const batches = tf.data.generator(function* () {
      yield { xs: xs.clone(), ys: ys.clone(), exampleId: tf.tensor1d([0, 1, 2], 'int32') };
    } as () => Iterator<tf.TensorContainerObject>);
    await expect(collect(batches)).rejects.toThrow(/\[4, 3\] in a batch of 3 examples/);
  });
});
