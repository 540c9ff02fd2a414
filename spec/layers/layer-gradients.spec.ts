import tf = require('@tensorflow/tfjs');
import { applyHostFixes } from '../../lib/host-fixes';
import { describeLayerGradient, type LayerGradientCase } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';

const { dense, embedding, layerNormalization } = tf.layers;

describeLayerGradient('Dense', [
  stack('linear', [4], () => [dense({ units: 3 })]),
  stack('stacked, with activations', [4], () => [
    dense({ units: 5, activation: 'tanh' }),
    dense({ units: 4, activation: 'elu' }),
    dense({ units: 3, activation: 'softmax' }),
  ]),
  stack('no bias', [4], () => [
    dense({ units: 3, useBias: false, activation: 'sigmoid' }),
    dense({ units: 2 }),
  ]),
  stack('many positions', [3, 2, 4], () => [dense({ units: 5, activation: 'tanh' }), dense({ units: 2 })]),
  stack('one input, one output', [1], () => [dense({ units: 1 }), dense({ units: 1, useBias: false })]),
  {
    name: 'shared, called three times',
    build() {
      const shared = dense({ units: 4, activation: 'tanh' });
      const input = tf.input({ shape: [4] });
      const output = [0, 1, 2].reduce((x) => shared.apply(x) as tf.SymbolicTensor, input);
      return tf.model({ inputs: input, outputs: output });
    },
    inputs: (batchSize) => tf.randomNormal([batchSize, 4], 0, 1, 'float32', 3),
  },
]);

const EMBEDDING: LayerGradientCase = {
  name: 'repeated ids, before a dense layer',
  build() {
    const input = tf.input({ shape: [6] });
    const embedded = embedding({ inputDim: 7, outputDim: 4 }).apply(input);
    return tf.model({ inputs: input, outputs: dense({ units: 3 }).apply(embedded) as tf.SymbolicTensor });
  },
  inputs: (batchSize) => tf.randomUniform([batchSize, 6], 0, 7, 'int32', 3),
};
describeLayerGradient('Embedding', [
  EMBEDDING,
  {
    ...EMBEDDING,
    name: 'ids as float32',
    inputs: (batchSize) => tf.tidy(() => EMBEDDING.inputs(batchSize).toFloat()),
  },
]);

const LAYER_NORMALIZATIONS = [
  stack('of vectors', [5], () => [
    layerNormalization({ gammaInitializer: 'randomNormal', betaInitializer: 'randomNormal' }),
  ]),
  stack('many positions, between dense layers', [3, 5], () => [
    dense({ units: 6 }),
    layerNormalization(),
    dense({ units: 2 }),
  ]),
  stack('over two axes', [2, 3, 4], () => [layerNormalization({ axis: [2, 3] }), dense({ units: 2 })]),
];
describeLayerGradient('LayerNormalization', LAYER_NORMALIZATIONS);

describe('with host fixes', () => {
  let undo: () => void;
  beforeAll(() => {
    undo = applyHostFixes();
  });
  afterAll(() => {
    undo();
  });

  describeLayerGradient('LayerNormalization', [
    ...LAYER_NORMALIZATIONS,
    stack('without beta', [3, 5], () => [layerNormalization({ center: false })]),
    stack('without gamma', [3, 5], () => [layerNormalization({ scale: false }), dense({ units: 2 })]),
  ]);
});
