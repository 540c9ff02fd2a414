import tf = require('@tensorflow/tfjs');
import { checkGradients, registerLayerGradient, UncompiledModelError } from '../callbacks';
import { denseGradient } from '../lib/layers/dense';
import { convolutionCase, denseCase, sequenceCase } from './support/small-models';

const BATCH_SIZE = 5;

function data() {
  const classes = tf.range(0, BATCH_SIZE, 1, 'int32').mod(tf.scalar(3, 'int32')).toInt() as tf.Tensor1D;
  return {
    xs: tf.randomNormal([BATCH_SIZE, 4, 3], 0, 1, 'float32', 1),
    ys: tf.oneHot(classes, 3).toFloat(),
  };
}

function everyKind(): tf.LayersModel {
  const { bidirectional, batchNormalization, conv1d, dense, lstm, gru, prelu } = tf.layers;
  const model = tf.sequential({
    layers: [
      conv1d({ filters: 4, kernelSize: 2, activation: 'tanh', inputShape: [4, 3], name: 'convolution' }),
      batchNormalization({ name: 'normalization' }),
      bidirectional({ layer: gru({ units: 3, returnSequences: true }), mergeMode: 'concat', name: 'both' }),
      lstm({ units: 4, name: 'lstm' }),
      prelu({ name: 'prelu', alphaInitializer: 'randomNormal' }),
      dense({ units: 3, activation: 'softmax', name: 'head' }),
    ],
  });
  model.setWeights(model.getWeights().map(({ shape }, i) => tf.randomUniform(shape, 0.1, 0.9, 'float32', i)));
  model.compile({ optimizer: 'sgd', loss: 'categoricalCrossentropy' });
  return model;
}

it.each([
  ...[denseCase, convolutionCase, sequenceCase].map(({ name, build, data }) => ({
    name,
    build,
    batch: () => data(BATCH_SIZE),
  })),
  {
    name: 'every kind of layer',
    build: everyKind,
    batch: data,
  },
])('finds right what is right, leaving weights as they are: $name', ({ build, batch }) => {
  const model = build();
  const weights = () => model.getWeights().map((weight) => Array.from(weight.dataSync()));
  const before = weights();
  const checks = checkGradients(model, batch());
  expect(checks.length).toBeGreaterThan(1);
  for (const { differences, alone } of checks) {
    expect(differences).toBeLessThan(1e-2);
    expect(alone).toBeLessThan(1e-4);
  }
  expect(weights()).toEqual(before);
});

it('finds a wrong adapter, and no other', () => {
  registerLayerGradient({
    ...denseGradient,
    forward: (context, tap) =>
      denseGradient.forward(context, (output, saved, factorsOf) =>
        tap(output, saved, (saved, gradient) => factorsOf(saved, gradient.mul(1.1))),
      ),
  });
  try {
    const checks = checkGradients(everyKind(), data());
    const wrong = checks.filter(({ differences, alone }) => differences > 1e-2 && alone > 1e-4);
    expect(wrong.map(({ path }) => path)).toEqual(['head']);
    expect(wrong[0]?.alone).toBeCloseTo(0.1, 3);
  } finally {
    registerLayerGradient(denseGradient);
  }
});

it('takes a loss for a model that is not compiled, and names which layers to check', () => {
  const model = tf.sequential({
    layers: [
      tf.layers.dense({ units: 2, inputShape: [3], name: 'a' }),
      tf.layers.dense({ units: 1, name: 'b' }),
    ],
  });
  const batch = { xs: tf.randomNormal([4, 3], 0, 1, 'float32', 1), ys: tf.ones([4, 1]) };
  expect(() => checkGradients(model, batch)).toThrow(UncompiledModelError);
  const loss = ({ xs, ys }: { xs: tf.Tensor | tf.Tensor[]; ys: tf.Tensor | tf.Tensor[] }) =>
    tf.losses.meanSquaredError<tf.Tensor, tf.Scalar>(ys as tf.Tensor, model.predict(xs) as tf.Tensor);
  expect(checkGradients(model, batch, { loss, layers: ['b'] }).map(({ path }) => path)).toEqual(['b']);
});

it('leaves no tensor behind', () => {
  const model = denseCase.build();
  const batch = denseCase.data(BATCH_SIZE);
  checkGradients(model, batch);
  const before = tf.memory().numTensors;
  checkGradients(model, batch);
  expect(tf.memory().numTensors).toBe(before);
});
