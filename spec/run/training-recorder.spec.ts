import fs from 'node:fs';
import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor, GradientStoreReader, RecordingOrderError, Run, TrainingRecorder } from '../../callbacks';
import { findAttributedLayers } from '../../lib/capture/attributed-layers';
import { batchOfOneGradients } from '../reference/batch-of-one';
import { kill, printed, startChild } from '../support/child-process';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';

const EXAMPLES = 12;
const IDS = Array.from({ length: EXAMPLES }, (_, i) => i);

const directory = temporaryDirectory();
let runs = 0;
const newPath = () => path.join(directory, `run-${runs++}`);

/** A model that nobody compiled: of two layers in a sequence, or the same as a functional model. */
function uncompiled(form: 'sequential' | 'functional'): tf.LayersModel {
  const [first, second] = [1, 2].map((seed) => tf.initializers.glorotUniform({ seed }));
  const layers = [
    tf.layers.dense({
      units: 6,
      activation: 'tanh',
      inputShape: [5],
      kernelInitializer: first,
      name: 'hidden',
    }),
    tf.layers.dense({ units: 3, kernelInitializer: second, name: 'head' }),
  ];
  if (form === 'sequential') return tf.sequential({ layers });
  const input = tf.input({ shape: [5] });
  const output = layers.reduce<tf.SymbolicTensor>((x, layer) => layer.apply(x) as tf.SymbolicTensor, input);
  return tf.model({ inputs: input, outputs: output });
}

/** Cross-entropy of each example [batch]. */
function losses(model: tf.LayersModel, xs: tf.Tensor, ys: tf.Tensor): tf.Tensor1D {
  const logits = model.apply(xs, { training: true }) as tf.Tensor;
  return tf.losses.softmaxCrossEntropy<tf.Tensor, tf.Tensor1D>(
    ys,
    logits,
    undefined,
    undefined,
    tf.Reduction.NONE,
  );
}

function recorderOf(model: tf.LayersModel, options: object = {}) {
  const run = newPath();
  const recorder = TrainingRecorder.start(model, {
    path: run,
    index: false,
    projectionDim: 'exact',
    ...options,
  });
  return { run, recorder };
}

describe.each(['sequential', 'functional'] as const)(
  'a loop over a %s model that is not compiled',
  (form) => {
    it.each(['mean', 'sum'] as const)(
      'writes the rows a batch-of-one loop gives, the loss being a %s over the batch',
      async (lossReduction) => {
        const model = uncompiled(form);
        const { xs, ys } = denseCase.data(EXAMPLES);
        const parts = findAttributedLayers(model, { includeBias: true }).flatMap((layer) => layer.parts);
        const oracle = batchOfOneGradients(model, parts, (of, [x, y]) => losses(of, x!, y!).sum(), [xs, ys]);
        const optimizer = tf.train.sgd(0.1);
        const { run, recorder } = recorderOf(model, { lossReduction, exampleCount: EXAMPLES });
        recorder.beginEpoch(0);
        const loss = await recorder.step(IDS, () =>
          optimizer.minimize(() => losses(model, xs, ys)[lossReduction]<tf.Scalar>(), true),
        );
        expect(loss?.shape).toEqual([]);
        await recorder.endEpoch();
        await recorder.finish();

        const { manifest } = Run.open(run);
        expect(manifest).toMatchObject({
          state: 'complete',
          examples: EXAMPLES,
          optimizer: null,
          losses: [null],
        });
        const store = GradientStoreReader.open(Run.open(run).storeDirectory());
        for (const example of IDS) {
          const expected = parts.flatMap((part) => Array.from(oracle.get(part.path)?.[example] ?? []));
          expect(relativeError(store.row(example), expected)).toBeLessThan(ROUNDING);
        }
        store.close();
      },
    );

    it('divides by the second moments of the optimizer it is given, the first step’s like the last’s', async () => {
      // After one step from zero state v̂ is g² exactly, so a batch of one has G / (sqrt(v̂) + ε) = ±1 where G is not tiny.
      const model = uncompiled(form);
      const { xs, ys } = denseCase.data(1);
      const optimizer = tf.train.adam(0.01);
      const { run, recorder } = recorderOf(model, { optimizer, useOptimizerState: true });
      recorder.beginEpoch(0);
      await recorder.step([0], () => {
        optimizer.minimize(() => losses(model, xs, ys).mean<tf.Scalar>());
      });
      await recorder.endEpoch();
      await recorder.finish();
      expect(Run.open(run).manifest).toMatchObject({ optimizer: 'Adam', normalizer: 'adam' });
      const store = GradientStoreReader.open(Run.open(run).storeDirectory());
      const sizes = Array.from(store.row(0), Math.abs).filter((size) => size > 0.01);
      store.close();
      expect(sizes.length).toBeGreaterThan(20);
      for (const size of sizes) expect(size).toBeCloseTo(1, 2);
    });

    it('answers queries by a loss of the caller’s', async () => {
      const model = uncompiled(form);
      const { xs, ys } = denseCase.data(EXAMPLES);
      const optimizer = tf.train.sgd(1e-9); // the weights at the query are those of the step, almost
      const { run, recorder } = recorderOf(model);
      recorder.beginEpoch(0);
      await recorder.step(IDS, () => {
        optimizer.minimize(() => losses(model, xs, ys).mean<tf.Scalar>());
      });
      await recorder.endEpoch();
      await recorder.finish();
      const attributor = await Attributor.open(run);
      const query = () => losses(model, xs.slice(4, 1), ys.slice(4, 1)).mean<tf.Scalar>();
      const [trace] = await attributor.trace(model, query, { k: 1, unitNorm: true });
      expect(trace?.highest[0]?.example).toBe(4);
      await attributor.close();
    });
  },
);

it.each([false, true])(
  'sums the backward passes of a step that has several (optimizer state %s)',
  async (useOptimizerState) => {
    const model = uncompiled('sequential');
    const { xs, ys } = denseCase.data(1);
    const rows = [];
    const counts = [];
    for (const passes of [1, 2]) {
      const optimizer = tf.train.adam(0); // the same gradient again, whose second moments are then the same too
      const { run, recorder } = recorderOf(model, { optimizer, useOptimizerState });
      recorder.beginEpoch(0);
      const before = tf.memory().numTensors;
      await recorder.step([0], () => {
        for (let pass = 0; pass < passes; pass++) {
          optimizer.minimize(() => losses(model, xs, ys).mean<tf.Scalar>());
        }
      });
      counts.push(tf.memory().numTensors - before);
      await recorder.endEpoch();
      await recorder.finish();
      const store = GradientStoreReader.open(Run.open(run).storeDirectory());
      rows.push(store.row(0));
      store.close();
    }
    expect(counts[1]).toBe(counts[0]); // of the optimizer's own tensors
    const [once, twice] = rows;
    expect(
      relativeError(
        twice!,
        once!.map((value) => 2 * value),
      ),
    ).toBeLessThan(ROUNDING);
  },
);

it.each([false, true])('leaves the count of tensors flat (optimizer state %s)', async (useOptimizerState) => {
  const before = tf.memory().numTensors;
  const model = uncompiled('sequential');
  const { xs, ys } = denseCase.data(EXAMPLES);
  const optimizer = tf.train.adam(0.01);
  const { recorder } = recorderOf(model, { optimizer, useOptimizerState });
  const counts = [];
  recorder.beginEpoch(0);
  for (let step = 0; step < 20; step++) {
    await recorder.step(IDS, () => {
      optimizer.minimize(() => losses(model, xs, ys).mean<tf.Scalar>());
    });
    counts.push(tf.memory().numTensors);
  }
  await recorder.endEpoch();
  await recorder.finish();
  expect(new Set(counts).size).toBe(1);
  optimizer.dispose();
  model.dispose();
  tf.dispose([xs, ys]);
  expect(tf.memory().numTensors).toBe(before);
});

describe('a step that fails', () => {
  it('writes nothing, and the loop may go on', async () => {
    const model = denseCase.build();
    const { xs, ys } = denseCase.data(EXAMPLES);
    const { run, recorder } = recorderOf(model, { trackOrder: true });
    recorder.beginEpoch(0);
    await recorder.step(IDS, () => model.trainOnBatch(xs, ys));
    const before = tf.memory().numTensors;
    const failing: (() => unknown)[] = [
      () => {
        throw new Error('no batch');
      },
      () => model.trainOnBatch(xs, ys).then(() => Promise.reject(new Error('no batch'))),
    ];
    for (const body of failing) await expect(recorder.step(IDS, body)).rejects.toThrow('no batch');
    expect(tf.memory().numTensors).toBe(before);
    await recorder.step([3, 4], () => model.trainOnBatch(xs.slice(3, 2), ys.slice(3, 2)));
    await recorder.endEpoch();
    await recorder.finish();
    const batches = [...(Run.open(run).trainingOrder()?.batches() ?? [])];
    expect(batches.map(({ step, examples }) => [step, examples.length])).toEqual([
      [0, EXAMPLES],
      [1, 2],
    ]);
  });

  // Rows are written while training goes on, where the addon does that: the step after it may be the one to throw.
  it('says which example and layer a gradient that is not finite is of, and can be followed by others', async () => {
    const model = denseCase.build();
    const { xs, ys } = denseCase.data(2);
    const broken = tf.tensor2d([1, 1, 1, 1, 1, 1, 1, NaN, 1, 1], [2, 5]);
    const weights = model.getWeights().map((weight) => weight.clone());
    const { run, recorder } = recorderOf(model, { trackOrder: true, exampleCount: 10 });
    recorder.beginEpoch(0);
    await recorder.step([0, 1], () => model.trainOnBatch(xs, ys));
    const failing = async () => {
      await recorder.step([7, 9], () => model.trainOnBatch(broken, ys));
      model.setWeights(weights);
      await recorder.step([2, 3], () => model.trainOnBatch(xs, ys));
    };
    await expect(failing()).rejects.toThrow(/layer `hidden` for example 9 is NaN at step 1/);
    model.setWeights(weights);
    await recorder.step([4, 5], () => model.trainOnBatch(xs, ys));
    await recorder.endEpoch();
    await recorder.finish();
    const found = Run.open(run);
    const batches = [...(found.trainingOrder()?.batches() ?? [])];
    expect(batches.map(({ step, examples }) => [step, [...examples]])).toEqual([
      [0, [0, 1]],
      [1, [4, 5]],
    ]);
    const store = GradientStoreReader.open(found.storeDirectory());
    expect(IDS.slice(0, 10).filter((id) => store.isWritten(id))).toEqual([0, 1, 4, 5]);
    store.close();
  });

  it('leaves nothing of a run whose first step has a gradient that is not finite', async () => {
    const model = denseCase.build();
    const { xs, ys } = denseCase.data(2);
    const { run, recorder } = recorderOf(model);
    recorder.beginEpoch(0);
    const failing = async () => {
      await recorder.step([7, 9], () => model.trainOnBatch(xs.mul(NaN), ys));
      await recorder.endEpoch();
    };
    await expect(failing()).rejects.toThrow(/layer `hidden` for example 7 is NaN at step 0/);
    recorder.abort();
    expect(fs.existsSync(run)).toBe(false);
  });

  it('leaves the layers as they were', async () => {
    const model = denseCase.build();
    const { recorder } = recorderOf(model);
    recorder.beginEpoch(0);
    await expect(recorder.step(IDS, () => Promise.reject(new Error('no batch')))).rejects.toThrow('no batch');
    for (const layer of model.layers) expect(Object.hasOwn(layer, 'call')).toBe(false);
    recorder.abort();
  });
});

it('leaves a readable run when it is aborted after steps', async () => {
  const model = denseCase.build();
  const { xs, ys } = denseCase.data(EXAMPLES);
  const { run, recorder } = recorderOf(model);
  recorder.beginEpoch(5);
  await recorder.step(IDS, () => model.trainOnBatch(xs, ys));
  recorder.abort();
  recorder.abort();
  expect(Run.open(run).describe()).toMatch(/unfinished/);
  const attributor = await Attributor.open(run);
  expect(attributor.row(11)).toHaveLength(75);
  await attributor.close();
});

it('leaves a readable run when the process is killed', async () => {
  const run = newPath();
  const child = startChild(path.join(__dirname, 'children', 'loop.ts'), run);
  await printed(child, 'step 9 recorded');
  await kill(child);
  const opened = Run.open(run);
  expect(opened.manifest).toMatchObject({ state: 'training', examples: null });
  const batches = [...(opened.trainingOrder()?.batches() ?? [])];
  // Ten steps were over. The rows of the last may still have been on their way.
  expect(batches.length).toBeGreaterThanOrEqual(9);
  const store = GradientStoreReader.open(opened.storeDirectory());
  for (const { examples } of batches) for (const id of examples) expect(store.isWritten(id)).toBe(true);
  store.close();
});

describe('refuses', () => {
  const train = () => denseCase.build();

  it.each([
    [
      'a step outside an epoch',
      (recorder: TrainingRecorder) => recorder.step([0], () => 0),
      /outside an epoch/,
    ],
    ['the end of an epoch that has not begun', (r: TrainingRecorder) => r.endEpoch(), /outside an epoch/],
  ])('%s', async (_, call, message) => {
    const { recorder } = recorderOf(train());
    const failure = call(recorder);
    await expect(failure).rejects.toThrow(RecordingOrderError);
    await expect(failure).rejects.toThrow(message);
    recorder.abort();
  });

  it('an epoch inside an epoch, and an end inside one', async () => {
    const { recorder } = recorderOf(train());
    recorder.beginEpoch(0);
    expect(() => {
      recorder.beginEpoch(1);
    }).toThrow(/`beginEpoch` was called during epoch 0; await `endEpoch` first/);
    await expect(recorder.finish()).rejects.toThrow(/during epoch 0/);
    recorder.abort();
  });

  it('an epoch a second time, or one before', async () => {
    const { recorder } = recorderOf(train());
    recorder.beginEpoch(3);
    await recorder.endEpoch();
    for (const epoch of [3, 2, 3.5, NaN]) {
      expect(() => {
        recorder.beginEpoch(epoch);
      }).toThrow(/`epoch` is .*; it must be a whole number greater than 3/);
    }
    recorder.abort();
  });

  it('a step while another runs', async () => {
    const model = train();
    const { xs, ys } = denseCase.data(EXAMPLES);
    const { recorder } = recorderOf(model);
    recorder.beginEpoch(0);
    const first = recorder.step(IDS, () => model.trainOnBatch(xs, ys));
    await expect(recorder.step(IDS, () => model.trainOnBatch(xs, ys))).rejects.toThrow(/during a step/);
    await expect(recorder.endEpoch()).rejects.toThrow(/during a step/);
    await first;
    recorder.abort();
  });

  it('anything after the end', async () => {
    const { recorder } = recorderOf(train());
    recorder.abort();
    recorder.abort();
    expect(() => {
      recorder.beginEpoch(0);
    }).toThrow(/after the end; start another recorder/);
    await expect(recorder.finish()).rejects.toThrow(/after the end/);
  });

  it('a step without a backward pass through the model', async () => {
    const { recorder } = recorderOf(train());
    recorder.beginEpoch(0);
    await expect(recorder.step([0], () => 0)).rejects.toThrow(/no attributed layer took part/);
    recorder.abort();
  });

  it('ids that are no row numbers, or of another number than the batch', async () => {
    const model = train();
    const { xs, ys } = denseCase.data(EXAMPLES);
    const { recorder } = recorderOf(model, { exampleCount: EXAMPLES });
    recorder.beginEpoch(0);
    const stepOn = (ids: number[]) => recorder.step(ids, () => model.trainOnBatch(xs, ys));
    await expect(stepOn([0.5])).rejects.toThrow(/`ids` is 0.5; it must be whole numbers/);
    await expect(stepOn([0, 1])).rejects.toThrow(/in a batch of 2 examples/);
    await expect(stepOn(IDS.map((id) => id + 1))).rejects.toThrow(/example 12 is not among the 12 rows/);
    recorder.abort();
  });

  it('optimizer state without an optimizer', () => {
    const run = newPath();
    expect(() =>
      TrainingRecorder.start(uncompiled('sequential'), { path: run, useOptimizerState: true }),
    ).toThrow(/the model is not compiled, and no `optimizer` is given/);
    expect(fs.existsSync(run)).toBe(false);
  });
});
