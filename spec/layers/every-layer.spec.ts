import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../../callbacks';

/** What a factory needs to make a layer, and a shape it accepts; nothing needed: {} on vectors. */
const ARGUMENTS: Record<string, { args?: object; input?: number[] | number[][] }> = {
  inputLayer: { args: { inputShape: [4] } },
  conv1d: { args: { filters: 2, kernelSize: 2 }, input: [4, 3] },
  conv2d: { args: { filters: 2, kernelSize: 2 }, input: [4, 4, 3] },
  conv2dTranspose: { args: { filters: 2, kernelSize: 2 }, input: [4, 4, 3] },
  conv3d: { args: { filters: 2, kernelSize: 2 }, input: [3, 3, 3, 2] },
  conv3dTranspose: { args: { filters: 2, kernelSize: 2 }, input: [3, 3, 3, 2] },
  separableConv2d: { args: { filters: 2, kernelSize: 2 }, input: [4, 4, 3] },
  depthwiseConv2d: { args: { kernelSize: 2 }, input: [4, 4, 3] },
  cropping2D: { args: { cropping: 1 }, input: [4, 4, 3] },
  upSampling2d: { input: [4, 4, 3] },
  activation: { args: { activation: 'relu' } },
  dense: { args: { units: 2 } },
  dropout: { args: { rate: 0.5 } },
  spatialDropout1d: { args: { rate: 0.5 }, input: [4, 3] },
  flatten: { input: [4, 3] },
  repeatVector: { args: { n: 2 } },
  reshape: { args: { targetShape: [2, 2] } },
  permute: { args: { dims: [2, 1] }, input: [4, 3] },
  embedding: { args: { inputDim: 5, outputDim: 2 } },
  add: { input: [[4], [4]] },
  average: { input: [[4], [4]] },
  concatenate: { input: [[4], [4]] },
  maximum: { input: [[4], [4]] },
  minimum: { input: [[4], [4]] },
  multiply: { input: [[4], [4]] },
  dot: { args: { axes: 1 }, input: [[4], [4]] },
  zeroPadding2d: { input: [4, 4, 3] },
  averagePooling1d: { args: { poolSize: 2 }, input: [4, 3] },
  avgPool1d: { args: { poolSize: 2 }, input: [4, 3] },
  avgPooling1d: { args: { poolSize: 2 }, input: [4, 3] },
  averagePooling2d: { args: { poolSize: 2 }, input: [4, 4, 3] },
  avgPool2d: { args: { poolSize: 2 }, input: [4, 4, 3] },
  avgPooling2d: { args: { poolSize: 2 }, input: [4, 4, 3] },
  averagePooling3d: { args: { poolSize: 2 }, input: [4, 4, 4, 2] },
  avgPool3d: { args: { poolSize: 2 }, input: [4, 4, 4, 2] },
  avgPooling3d: { args: { poolSize: 2 }, input: [4, 4, 4, 2] },
  globalAveragePooling1d: { input: [4, 3] },
  globalAveragePooling2d: { args: { dataFormat: 'channelsLast' }, input: [4, 4, 3] },
  globalMaxPooling1d: { input: [4, 3] },
  globalMaxPooling2d: { args: { dataFormat: 'channelsLast' }, input: [4, 4, 3] },
  maxPooling1d: { args: { poolSize: 2 }, input: [4, 3] },
  maxPooling2d: { args: { poolSize: 2 }, input: [4, 4, 3] },
  maxPooling3d: { args: { poolSize: 2 }, input: [4, 4, 4, 2] },
  maxPool1d: { args: { poolSize: 2 }, input: [4, 3] },
  maxPool2d: { args: { poolSize: 2 }, input: [4, 4, 3] },
  globalMaxPool1d: { input: [4, 3] },
  globalMaxPool2d: { args: { dataFormat: 'channelsLast' }, input: [4, 4, 3] },
  gru: { args: { units: 2 }, input: [3, 4] },
  lstm: { args: { units: 2 }, input: [3, 4] },
  simpleRNN: { args: { units: 2 }, input: [3, 4] },
  convLstm2d: { args: { filters: 2, kernelSize: 2 }, input: [2, 4, 4, 3] },
  gaussianNoise: { args: { stddev: 1 } },
  gaussianDropout: { args: { rate: 0.5 } },
  alphaDropout: { args: { rate: 0.5 } },
  rescaling: { args: { scale: 2 } },
  centerCrop: { args: { height: 2, width: 2 }, input: [4, 4, 3] },
  resizing: { args: { height: 2, width: 2 }, input: [4, 4, 3] },
  categoryEncoding: { args: { numTokens: 4, outputMode: 'multiHot' } },
  randomWidth: { args: { factor: 0.5 }, input: [4, 4, 3] },
};

/** Factories of layers that only make sense around others: how each is put into a model. */
const WRAPPED: Record<string, () => tf.layers.Layer> = {
  gruCell: () => tf.layers.rnn({ cell: tf.layers.gruCell({ units: 2 }) }),
  lstmCell: () => tf.layers.rnn({ cell: tf.layers.lstmCell({ units: 2 }) }),
  simpleRNNCell: () => tf.layers.rnn({ cell: tf.layers.simpleRNNCell({ units: 2 }) }),
  rnn: () => tf.layers.rnn({ cell: tf.layers.lstmCell({ units: 2 }) }),
  stackedRNNCells: () =>
    tf.layers.rnn({ cell: tf.layers.stackedRNNCells({ cells: [tf.layers.gruCell({ units: 2 })] }) }),
  convLstm2dCell: () => tf.layers.convLstm2d({ filters: 2, kernelSize: 2 }),
  bidirectional: () => tf.layers.bidirectional({ layer: tf.layers.lstm({ units: 2 }), mergeMode: 'sum' }),
  timeDistributed: () => tf.layers.timeDistributed({ layer: tf.layers.dense({ units: 2 }) }),
};
const WRAPPED_INPUT: Record<string, number[]> = { convLstm2dCell: [2, 4, 4, 3] };

/** Names in `tf.layers` that are no factories of layers. */
const NOT_FACTORIES = ['Layer', 'RNN', 'RNNCell', 'input'];

const FACTORIES = Object.keys(tf.layers).filter((name) => !NOT_FACTORIES.includes(name));

function modelWith(factory: string): tf.LayersModel {
  const wrapped = WRAPPED[factory];
  const { args = {}, input = [4] } = ARGUMENTS[factory] ?? {};
  const make = (tf.layers as unknown as Record<string, (args: object) => tf.layers.Layer>)[factory];
  if (factory === 'inputLayer') return tf.sequential({ layers: [make?.(args) as tf.layers.Layer] });
  const layer = wrapped === undefined ? (make?.(args) as tf.layers.Layer) : wrapped();
  const shapes = wrapped === undefined ? input : (WRAPPED_INPUT[factory] ?? [3, 4]);
  const inputs = (Array.isArray(shapes[0]) ? (shapes as number[][]) : [shapes as number[]]).map((shape) =>
    tf.input({ shape }),
  );
  const output = layer.apply(inputs.length === 1 ? (inputs[0] as tf.SymbolicTensor) : inputs);
  return tf.model({ inputs, outputs: output as tf.SymbolicTensor });
}

it('knows every factory in `tf.layers`, so that a new one fails the next spec rather than be missed', () => {
  expect(FACTORIES.length).toBeGreaterThan(60);
  const known = [...Object.keys(ARGUMENTS), ...Object.keys(WRAPPED)];
  expect(known.filter((name) => !FACTORIES.includes(name))).toEqual([]);
});

it.each(FACTORIES)('gives %s adapters for all its weights, if it has any', (factory) => {
  const model = modelWith(factory);
  const { layers, coverage } = new GradientCollector(model);
  expect(layers.filter(({ fallback }) => fallback).map(({ path }) => path)).toEqual([]);
  expect(coverage.attributed).toBe(coverage.trained);
  expect(layers.length > 0).toBe(model.trainableWeights.length > 0);
});
