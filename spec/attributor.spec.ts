import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import {
  AdamNormalizer,
  Attributor,
  GradientCollector,
  GradientCollectorCallback,
  ModelMismatchError,
  prepareForGradientCollection,
  type ExampleRecord,
  type RunOptions,
} from '../callbacks';
import { batchLoss, type Batch } from '../lib/compiled-model';
import { loadModel } from '../lib/run/model-files';
import { relativeError, ROUNDING } from './support/closeness';
import { MultiHeadAttention } from './support/multi-head-attention';
import { convolutionCase, denseCase, sequenceCase, type TrainingCase } from './support/small-models';
import { temporaryDirectory } from './support/temporary-directory';

const EXAMPLES = 20;
const directory = temporaryDirectory();
let runs = 0;

/** Trains one step on all examples, example 11 being a copy of example 3, and returns the run with its model. */
async function trainedRun({ build, data }: TrainingCase, options: Partial<RunOptions> = {}) {
  const run = path.join(directory, `run-${runs++}`);
  const model = prepareForGradientCollection(build());
  const given = data(EXAMPLES);
  const copied = tf.tensor1d(
    Array.from({ length: EXAMPLES }, (_, i) => (i === 11 ? 3 : i)),
    'int32',
  );
  const [xs, ys] = [tf.gather(given.xs, copied), tf.gather(given.ys, copied)];
  const collector = new GradientCollectorCallback({ path: run, index: false, trackOrder: true, ...options });
  await model.fit(xs, ys, { epochs: 1, batchSize: EXAMPLES, verbose: 0, callbacks: [collector] });
  return { run, model, xs, ys };
}

function example({ xs, ys }: Batch, id: number): { xs: tf.Tensor; ys: tf.Tensor } {
  return { xs: (xs as tf.Tensor).slice(id, 1), ys: (ys as tf.Tensor).slice(id, 1) };
}

describe.each([denseCase, convolutionCase, sequenceCase])('a run of $name', (trainingCase) => {
  it.each([false, true])(
    'has both copies of an example at the top for a query on it (optimizer state %s)',
    async (useOptimizerState) => {
      const { run, model, xs, ys } = await trainedRun(trainingCase, { useOptimizerState });
      const attributor = await Attributor.open(run);
      const [trace] = await attributor.trace(model, example({ xs, ys }, 3), { k: 4, unitNorm: true });
      const copies = trace?.highest.slice(0, 2).map((hit) => hit.example);
      expect(new Set(copies)).toEqual(new Set([3, 11])); // which of them is first is a matter of rounding
      expect(trace?.highest[0]?.score).toBeCloseTo(trace?.highest[1]?.score ?? NaN, 4);
      expect(trace?.highest[0]?.seen).toEqual([{ step: 0, epoch: 0 }]);
      await attributor.close();
    },
  );

  it('answers a batch of queries as it answers each alone, and a loss as the batch that makes it', async () => {
    const { run, model, xs, ys } = await trainedRun(trainingCase);
    const attributor = await Attributor.open(run);
    const together = await attributor.trace(
      model,
      { xs: xs.slice(0, 3), ys: ys.slice(0, 3) },
      { k: EXAMPLES },
    );
    for (const [id, trace] of together.entries()) {
      const query = example({ xs, ys }, id);
      const [alone] = await attributor.trace(model, query, { k: EXAMPLES });
      const [byLoss] = await attributor.trace(model, () => batchLoss(model, query), { k: EXAMPLES });
      for (const other of [alone, byLoss]) {
        const score = new Map(other?.highest.map((hit) => [hit.example, hit.score]));
        const expected = trace.highest.map((hit) => hit.score);
        expect(
          relativeError(
            trace.highest.map((hit) => score.get(hit.example) ?? NaN),
            expected,
          ),
        ).toBeLessThan(ROUNDING);
      }
    }
    await attributor.close();
  });

  it('accepts the model that the run saved', async () => {
    const { run, model, xs, ys } = await trainedRun(trainingCase);
    const loaded = await loadModel(path.join(run, 'model'));
    loaded.compile({ optimizer: 'sgd', loss: model.loss });
    const attributor = await Attributor.open(run);
    const query = example({ xs, ys }, 3);
    expect(await attributor.trace(loaded, query)).toEqual(await attributor.trace(model, query));
    await attributor.close();
  });
});

it('scores by the gradients themselves when nothing is projected: the first-order change of the loss', async () => {
  // A step of gradient descent of size η on example n alone changes the query's loss by -η times the score, to first order.
  const { run, model, xs, ys } = await trainedRun(denseCase, {
    projectionDim: 'exact',
    layers: ['hidden', 'head'],
  });
  const attributor = await Attributor.open(run, { otherWeights: true });
  // The rows belong to the weights before the only step; so must the query's gradient.
  const before = denseCase.build();
  const query = example({ xs, ys }, 0);
  const [trace] = await attributor.trace(before, query, { k: EXAMPLES });
  const rate = 1e-3;
  const loss = (of: tf.LayersModel) => tf.tidy(() => batchLoss(of, query).dataSync()[0] ?? NaN);
  for (const { example: id, score } of [trace?.highest[0], trace?.lowest[0]].flatMap((hit) => hit ?? [])) {
    const stepped = denseCase.build();
    stepped.compile({ optimizer: tf.train.sgd(rate), loss: 'categoricalCrossentropy' });
    const one = example({ xs, ys }, id);
    await stepped.trainOnBatch(one.xs, one.ys);
    const lowered = loss(before) - loss(stepped);
    expect(Math.sign(lowered)).toBe(Math.sign(score));
    // Second-order terms and the rounding of a difference of two losses near 1.
    expect(Math.abs(lowered / rate - score) / Math.abs(score)).toBeLessThan(0.05);
  }
  await attributor.close();
  model.dispose();
});

it('asks the model as it answers, not as it trains: dropout is off', async () => {
  const withDropout: TrainingCase = {
    ...denseCase,
    build: () => {
      const model = tf.sequential({
        layers: [
          tf.layers.dense({ units: 8, inputShape: [5], name: 'hidden' }),
          tf.layers.dropout({ rate: 0.5 }),
          tf.layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
        ],
      });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
      return model;
    },
  };
  const { run, model, xs, ys } = await trainedRun(withDropout);
  const attributor = await Attributor.open(run);
  const query = example({ xs, ys }, 0);
  expect(await attributor.trace(model, query)).toEqual(await attributor.trace(model, query));
  await attributor.close();
});

it('answers from a run that left layers without an adapter out', async () => {
  const recurrent: TrainingCase = {
    ...denseCase,
    build: () => {
      const model = tf.sequential({
        layers: [
          tf.layers.gru({ units: 4, inputShape: [3, 2], name: 'gru' }),
          tf.layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
        ],
      });
      model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
      return model;
    },
    data: (examples) => ({
      xs: tf.randomNormal([examples, 3, 2], 0, 1, 'float32', 31),
      ys: denseCase.data(examples).ys,
    }),
  };
  const { run, model, xs, ys } = await trainedRun(recurrent, { layers: ['head'] });
  const attributor = await Attributor.open(run);
  const [trace] = await attributor.trace(model, example({ xs, ys }, 3), { k: 4, unitNorm: true });
  expect(trace?.highest.slice(0, 2).map((hit) => hit.example)).toEqual(expect.arrayContaining([3, 11]));
  await attributor.close();
});

describe('a run split by attention head', () => {
  const attentionCase: TrainingCase = {
    ...denseCase,
    build: () => {
      const model = tf.sequential({
        layers: [
          tf.layers.inputLayer({ inputShape: [3, 6], name: 'input' }),
          new MultiHeadAttention(2, 6, 'attention'),
          tf.layers.globalAveragePooling1d({}),
          tf.layers.dense({
            units: 3,
            activation: 'softmax',
            kernelInitializer: tf.initializers.glorotUniform({ seed: 5 }),
            name: 'head',
          }),
        ],
      });
      model.compile({ optimizer: tf.train.adam(0.01), loss: 'categoricalCrossentropy' });
      return model;
    },
    data: (examples) => ({
      xs: tf.randomNormal([examples, 3, 6], 0, 1, 'float32', 37),
      ys: denseCase.data(examples).ys,
    }),
  };
  const ATTENTION = { 'attention.query': { numHeads: 2, headSize: 3, headDim: 2 } };
  const HEAD = 'attention.query.head_1';

  it.each([
    { projectionType: 'rademacher', useOptimizerState: false },
    { projectionType: 'normal', useOptimizerState: true },
  ] as const)('answers by one head alone, $projectionType, state $useOptimizerState', async (options) => {
    const projection = { projectionDim: 2, projectionType: options.projectionType, seed: 3 };
    const { run, model, xs, ys } = await trainedRun(attentionCase, {
      ...projection,
      useOptimizerState: options.useOptimizerState,
      attention: ATTENTION,
    });
    const attributor = await Attributor.open(run);
    expect(attributor.run.manifest.attention).toEqual(ATTENTION);
    const layers = attributor.run.manifest.layers.map(({ path }) => path);
    expect(layers.filter((path) => path.startsWith('attention.query'))).toEqual([
      'attention.query.head_0',
      HEAD,
    ]);
    const query = example({ xs, ys }, 3);
    const [trace] = await attributor.trace(model, query, { k: EXAMPLES, layers: [HEAD] });

    // The same head's gradient by itself, and its block of columns.
    const normalizer = options.useOptimizerState ? new AdamNormalizer(model.optimizer) : null;
    const alone = new GradientCollector(model, {
      ...projection,
      normalizer,
      attention: ATTENTION,
      layers: [HEAD],
    });
    expect(alone.columns).toEqual([{ layer: HEAD, width: 4 }]);
    const { loss, gradients } = alone.run(() => batchLoss(model, query));
    loss.dispose();
    const gradient = await alone.rows(gradients, 1);
    const first = 4 * layers.indexOf(HEAD);
    const expected = trace?.highest.map(({ example: id }) => {
      const block = attributor.row(id).slice(first, first + 4);
      return block.reduce((sum, value, i) => sum + value * (gradient[i] ?? NaN), 0);
    });
    const scores = trace?.highest.map(({ score }) => score) ?? [];
    expect(Math.max(...scores)).toBeGreaterThan(0);
    expect(relativeError(scores, expected ?? [])).toBeLessThan(ROUNDING);

    // Both heads together are what the layer's path selects, and score as the sum of the two.
    const scoresBy = async (...layers: string[]) => {
      const [trace] = await attributor.trace(model, query, { k: EXAMPLES, layers });
      const hits = [...(trace?.highest ?? [])].sort((a, b) => a.example - b.example);
      return hits.map(({ score }) => score);
    };
    const [one, other, both] = [
      await scoresBy('attention.query.head_0'),
      await scoresBy(HEAD),
      await scoresBy('attention.query'),
    ];
    const sums = one.map((score, id) => score + (other[id] ?? NaN));
    expect(relativeError(both, sums)).toBeLessThan(ROUNDING);
    await attributor.close();
  });

  it('refuses a model whose layers cannot be split as the run’s', async () => {
    const { run, xs, ys } = await trainedRun(attentionCase, { attention: ATTENTION });
    const attributor = await Attributor.open(run);
    const wider = tf.sequential({
      layers: [
        tf.layers.inputLayer({ inputShape: [3, 8], name: 'input' }),
        new MultiHeadAttention(2, 8, 'attention'),
      ],
    });
    await expect(attributor.trace(wider, example({ xs, ys }, 0))).rejects.toThrow(ModelMismatchError);
    await attributor.close();
  });
});

it('tells of each example what the run was told', async () => {
  const examples: ExampleRecord[] = Array.from({ length: EXAMPLES }, (_, i) => ({
    label: i % 3,
    text: `example ${i}`,
  }));
  const { run, model, xs, ys } = await trainedRun(denseCase, { examples });
  const attributor = await Attributor.open(run);
  const [trace] = await attributor.trace(model, example({ xs, ys }, 3));
  for (const hit of trace?.highest ?? []) expect(hit.record).toEqual(examples[hit.example]);
  await attributor.close();
});

describe('refuses', () => {
  it('a model with other layers, naming them', async () => {
    const { run, xs, ys } = await trainedRun(denseCase);
    const attributor = await Attributor.open(run);
    const query = example({ xs, ys }, 0);
    await expect(attributor.trace(sequenceCase.build(), query)).rejects.toThrow(
      /hidden \[8, 6\].*tokens|hidden \[8, 6\]/,
    );
    await attributor.close();
  });

  it('a model with other weights, unless told otherwise', async () => {
    const { run, xs, ys } = await trainedRun(denseCase);
    const query = example({ xs, ys }, 0);
    const strict = await Attributor.open(run);
    await expect(strict.trace(denseCase.build(), query)).rejects.toThrow(/made with weights [0-9a-f]{64}/);
    await strict.close();
    const lenient = await Attributor.open(run, { otherWeights: true });
    expect(await lenient.trace(denseCase.build(), query)).toHaveLength(1);
    await lenient.close();
  });

  it('more neighbors than there are rows', async () => {
    const { run, model, xs, ys } = await trainedRun(denseCase);
    const attributor = await Attributor.open(run);
    await expect(attributor.trace(model, example({ xs, ys }, 0), { k: EXAMPLES + 1 })).rejects.toThrow(
      /20 rows held, found 21/,
    );
    await attributor.close();
  });

  it('a loss that does not depend on the model', async () => {
    const { run, model } = await trainedRun(denseCase);
    const attributor = await Attributor.open(run);
    await expect(attributor.trace(model, () => tf.scalar(1))).rejects.toThrow(/no per-example gradient/);
    await attributor.close();
  });

  it('a directory that is not a run, and a store that the run does not hold', async () => {
    await expect(Attributor.open(directory)).rejects.toThrow(/is not a run: it holds no run.msgpack/);
    const { run } = await trainedRun(denseCase);
    await expect(Attributor.open(run, { store: 'epoch_7' })).rejects.toThrow(/no store `epoch_7`.*`epoch_0`/);
  });

  it('records for another number of examples, before anything is trained', async () => {
    await expect(trainedRun(denseCase, { examples: [{ label: 1 }] })).rejects.toThrow(
      /`examples` is 1; it must be 20 records/,
    );
  });
});
