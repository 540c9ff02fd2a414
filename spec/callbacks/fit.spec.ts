import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  GradientCollectorCallback,
  GradientStoreReader,
  prepareForGradientCollection,
  Run,
} from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase, twoByTwoCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const EXAMPLES = 22;
const BATCH_SIZE = 8;

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

async function fit(args: Partial<tf.ModelFitArgs>, callbacks: tf.Callback[] = []): Promise<Run> {
  const model = prepareForGradientCollection(denseCase.build());
  const { xs, ys } = denseCase.data(EXAMPLES);
  const run = newPath();
  const collector = new GradientCollectorCallback({ path: run, index: false, trackOrder: true });
  await model.fit(xs, ys, {
    batchSize: BATCH_SIZE,
    epochs: 2,
    verbose: 0,
    ...args,
    callbacks: [collector, ...callbacks],
  });
  return Run.open(run);
}

const seenBy = (run: Run) =>
  [...(run.trainingOrder()?.batches() ?? [])].map(({ examples }) => Array.from(examples));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

it('splits validation data off the end, and captures nothing of them', async () => {
  const run = await fit({ validationSplit: 0.5 });
  expect(run.manifest).toMatchObject({
    examples: 11,
    epochs: [0, 1].map((epoch) => ({ epoch, steps: 2, rows: 11 })),
  });
  const seen = seenBy(run);
  expect(
    seen
      .slice(0, 2)
      .flat()
      .sort((a, b) => a - b),
  ).toEqual(upTo(11));
});

it('captures nothing of validation data of their own', async () => {
  const { xs, ys } = denseCase.data(9);
  const run = await fit({ validationData: [xs, ys] });
  expect(run.manifest.examples).toBe(EXAMPLES);
  expect(seenBy(run).map((ids) => ids.length)).toEqual([8, 8, 6, 8, 8, 6]);
});

it('begins with the initial epoch, and counts steps from 0', async () => {
  const run = await fit({ initialEpoch: 3, epochs: 5 });
  expect(run.stores).toEqual(['epoch_3', 'epoch_4']);
  expect(run.manifest.epochs.map(({ epoch, steps }) => [epoch, steps])).toEqual([
    [3, 3],
    [4, 3],
  ]);
  const [first] = [...(run.trainingOrder()?.batches() ?? [])];
  expect(first).toMatchObject({ step: 0, epoch: 3 });
});

it('takes batches of any size: one of all examples, where none is given more than 32', async () => {
  const run = await fit({ batchSize: undefined, epochs: 1 });
  expect(seenBy(run).map((ids) => ids.length)).toEqual([EXAMPLES]);
});

it('is complete when early stopping ends it, and says after how many epochs', async () => {
  const patience = 2;
  const stopping = tf.callbacks.earlyStopping({ monitor: 'loss', minDelta: 1e6, patience });
  const run = await fit({ epochs: 50 }, [stopping]);
  expect(run.manifest.state).toBe('complete');
  expect(run.manifest.epochs).toEqual(
    upTo(patience + 1).map((epoch) => ({ epoch, steps: 3, rows: EXAMPLES })),
  );
  expect(run.describe()).toBe('a complete run of 3 finished epochs over 22 examples');
});

it('is complete when it is told to stop inside an epoch, and says how many rows that has', async () => {
  class Stop extends tf.Callback {
    override onBatchEnd(batch: number): Promise<void> {
      if (batch === 1) this.model.stopTraining = true;
      return Promise.resolve();
    }
  }
  const run = await fit({ epochs: 50 }, [new Stop()]);
  expect(run.manifest).toMatchObject({ state: 'complete', epochs: [{ epoch: 0, steps: 2, rows: 16 }] });
});

it('weights each output of several by classes of its own', async () => {
  const [model, before] = [prepareForGradientCollection(twoByTwoCase.build()), twoByTwoCase.build()];
  const { xs, ys } = twoByTwoCase.data(EXAMPLES);
  const classWeight = { class: { 0: 1, 1: 2.5, 2: 0.25 } };
  const run = newPath();
  await model.fit(xs, ys, {
    batchSize: EXAMPLES,
    epochs: 1,
    verbose: 0,
    classWeight,
    callbacks: [new GradientCollectorCallback({ path: run, projectionDim: 'exact', index: false })],
  });
  const parts = findAttributedLayers(before, { includeBias: true }).flatMap((layer) => layer.parts);
  const loss = (of: tf.LayersModel, [left, right, label, value]: tf.Tensor[]) => {
    const [probabilities, estimate] = of.apply([left!, right!]) as [tf.Tensor, tf.Tensor];
    const weight = classWeight.class[label!.argMax(-1).dataSync()[0] as 0 | 1 | 2];
    const classLoss = tf.metrics.categoricalCrossentropy(label!, probabilities).mean().mul(weight);
    return classLoss.add<tf.Scalar>(tf.metrics.meanSquaredError(value!, estimate).mean());
  };
  const oracle = batchOfOneGradients(before, parts, loss, [...xs, ...ys]);
  const store = GradientStoreReader.open(Run.open(run).storeDirectory());
  for (let example = 0; example < EXAMPLES; example++) {
    const expected = parts.flatMap((part) => Array.from(oracle.get(part.path)?.[example] ?? []));
    expect(relativeError(store.row(example), expected)).toBeLessThan(ROUNDING);
  }
  store.close();
});

describe('keeps tfjs’s own refusal, and leaves nothing behind, of', () => {
  const refused = async (args: Partial<tf.ModelFitArgs>, message: RegExp) => {
    const held = fs.readdirSync(directory);
    await expect(fit(args)).rejects.toThrow(message);
    expect(fs.readdirSync(directory)).toEqual(held);
  };

  it('sample weights', () =>
    refused({ sampleWeight: tf.ones([EXAMPLES]) }, /^sample weight is not supported yet\.$/));

  it('class weights that lack a class', () =>
    refused({ classWeight: { 0: 1 } }, /classWeight must contain all classes/));

  it('shuffling by batches, which it finds out once training has begun', () =>
    refused({ shuffle: 'batch' as unknown as boolean }, /batch shuffling is not implemneted/));
});
