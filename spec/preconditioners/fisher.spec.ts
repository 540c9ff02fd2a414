import path from 'node:path';
import tf = require('@tensorflow/tfjs');
import { Attributor, collectGradients, fisherAutocorrelation, UnknownCurvatureError } from '../../callbacks';
import { seededNormal } from '../search/support';
import { relativeError } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
const INPUTS = 2;
const OUTPUTS = 3;
const EXAMPLES = 12;

/** Rows are float32, and probabilities lose digits near one. */
const SINGLE = 1e-4;
/** Standard error of a mean over 3,000 samples, a few times over. */
const SAMPLING = 0.1;

interface Case {
  readonly loss: string;
  readonly activation: 'linear' | 'sigmoid' | 'softmax';
  /** The loss's Hessian by what the last layer's linear map gives, from the model's output f. */
  readonly hessian: (f: readonly number[], i: number, j: number) => number;
}

const softmaxHessian: Case['hessian'] = (p, i, j) => (i === j ? p[i]! : 0) - p[i]! * p[j]!;

const cases: Case[] = [
  { loss: 'meanSquaredError', activation: 'linear', hessian: (_, i, j) => (i === j ? 2 / OUTPUTS : 0) },
  {
    loss: 'binaryCrossentropy',
    activation: 'sigmoid',
    hessian: (p, i, j) => (i === j ? (p[i]! * (1 - p[i]!)) / OUTPUTS : 0),
  },
  { loss: 'categoricalCrossentropy', activation: 'softmax', hessian: softmaxHessian },
  { loss: 'sparseCategoricalCrossentropy', activation: 'softmax', hessian: softmaxHessian },
];

const normal = seededNormal(11);
const inputs = Array.from({ length: EXAMPLES }, () => Array.from({ length: INPUTS }, normal));

function build({ loss, activation }: Pick<Case, 'loss' | 'activation'>): tf.Sequential {
  const kernelInitializer = tf.initializers.randomNormal({ seed: 4, stddev: 0.7 });
  const dense = { units: OUTPUTS, activation, inputShape: [INPUTS], kernelInitializer, name: 'dense' };
  const model = tf.sequential({ layers: [tf.layers.dense(dense)] });
  model.compile({ optimizer: 'sgd', loss });
  return model;
}

async function open(model: tf.LayersModel, name: string): Promise<Attributor> {
  const run = path.join(root, name);
  const xs = tf.tensor2d(inputs);
  const batches = [
    {
      ids: Int32Array.from(inputs, (_, i) => i),
      loss: () => tf.tidy(() => (model.apply(xs) as tf.Tensor).square().sum<tf.Scalar>()),
      dispose: () => {
        xs.dispose();
      },
    },
  ];
  await collectGradients(model, batches, { path: run, projectionDim: 'exact', index: false });
  return Attributor.open(run);
}

/** (1/N) Σ H ⊗ x xᵀ over gradients laid out [outputs, inputs and a bias]. */
function expected(model: tf.LayersModel, { hessian }: Case): number[] {
  const outputs = tf.tidy(() => (model.predict(tf.tensor2d(inputs)) as tf.Tensor2D).arraySync());
  const width = INPUTS + 1;
  return Array.from({ length: (OUTPUTS * width) ** 2 }, (_, at) => {
    const [row, column] = [Math.floor(at / (OUTPUTS * width)), at % (OUTPUTS * width)];
    const [i, j] = [Math.floor(row / width), Math.floor(column / width)];
    return inputs.reduce((sum, input, n) => {
      const x = [...input, 1];
      return sum + (hessian(outputs[n]!, i, j) * x[row % width]! * x[column % width]!) / EXAMPLES;
    }, 0);
  });
}

describe.each(cases)('under $loss', (given) => {
  it('is the mean Gauss-Newton matrix, over batches however they are cut, and its samples tend to it', async () => {
    const model = build(given);
    const before = tf.memory().numTensors;
    const attributor = await open(model, given.loss);
    const cut = [tf.tensor2d(inputs.slice(0, 5)), tf.tensor2d(inputs.slice(5))];
    const fisher = await fisherAutocorrelation(attributor, model, cut);
    expect(fisher.examples).toBe(EXAMPLES);
    const matrix = expected(model, given);
    expect(relativeError(fisher.matrices[0] ?? [], matrix)).toBeLessThan(SINGLE);

    const many = tf.tidy(() => tf.tile(tf.tensor2d(inputs), [250, 1]));
    const drawn = await fisherAutocorrelation(attributor, model, [many], { labels: 'sampled', seed: 2 });
    expect(relativeError(drawn.matrices[0] ?? [], matrix)).toBeLessThan(SAMPLING);
    tf.dispose([...cut, many]);
    await attributor.close();
    expect(tf.memory().numTensors).toBe(before);
    model.dispose();
  });
});

it('draws the same labels for the same seed, others for another, and its own for each batch', async () => {
  const given = { loss: 'categoricalCrossentropy', activation: 'softmax' } as const;
  const model = build(given);
  const attributor = await open(model, 'draws');
  const xs = tf.tensor2d(inputs);
  const draw = async (batches: tf.Tensor[], seed: number) =>
    (await fisherAutocorrelation(attributor, model, batches, { labels: 'sampled', seed })).matrices[0];
  const cut = [tf.tensor2d(inputs.slice(0, 7)), tf.tensor2d(inputs.slice(7))];
  const [once = [], again = [], other = []] = [await draw([xs], 1), await draw(cut, 1), await draw([xs], 2)];
  expect(relativeError(again, once)).toBeLessThan(SINGLE);
  expect(relativeError(other, once)).toBeGreaterThan(SAMPLING);
  tf.dispose([xs, ...cut]);
  await attributor.close();
  model.dispose();
});

it('is not known for other losses', async () => {
  const model = build({ loss: 'hinge', activation: 'linear' });
  const attributor = await open(model, 'hinge');
  const xs = tf.tensor2d(inputs);
  await expect(fisherAutocorrelation(attributor, model, [xs])).rejects.toThrow(UnknownCurvatureError);
  await expect(fisherAutocorrelation(attributor, model, [xs])).rejects.toThrow(/found hinge over \[12, 3\]/);
  xs.dispose();
  await attributor.close();
  model.dispose();
});
