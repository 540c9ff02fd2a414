import tf = require('@tensorflow/tfjs');
import { describeLayerGradient } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';

const {
  bidirectional,
  convLstm2d,
  dense,
  gru,
  gruCell,
  lstm,
  lstmCell,
  masking,
  rnn,
  simpleRNN,
  simpleRNNCell,
} = tf.layers;
const { timeDistributed, conv1d } = tf.layers;

/** Drops the same features of every example, so that an example's masks are what they are alone. */
const dropoutFunc = (x: tf.Tensor, rate: number) =>
  tf
    .randomUniform([1, ...x.shape.slice(1)], 0, 1, 'float32', 17)
    .greater(rate)
    .toFloat()
    .mul(x)
    .div(1 - rate);
const dropping = { dropout: 0.3, recurrentDropout: 0.4, dropoutFunc };
/** The default, hardSigmoid, has kinks that finite differences step over. */
const smooth = { recurrentActivation: 'sigmoid' } as const;

describeLayerGradient('SimpleRNN', [
  stack('last output', [4, 3], () => [simpleRNN({ units: 2 })]),
  stack('sequences, stacked, linear, no bias', [3, 2], () => [
    simpleRNN({ units: 3, returnSequences: true }),
    simpleRNN({ units: 2, activation: 'linear', useBias: false, goBackwards: true }),
  ]),
  stack('one step', [1, 2], () => [simpleRNN({ units: 2, activation: 'relu' })]),
  stack('with dropout', [3, 4], () => [simpleRNN({ units: 3, ...dropping })]),
]);

describeLayerGradient('LSTM', [
  stack('last output', [4, 3], () => [lstm({ units: 2 })]),
  stack('sequences, stacked, no bias', [3, 2], () => [
    lstm({ units: 2, returnSequences: true, ...smooth }),
    lstm({ units: 2, useBias: false }),
  ]),
  stack('one step', [1, 2], () => [lstm({ units: 2 })]),
  stack('with dropout', [3, 4], () => [lstm({ units: 3, ...smooth, ...dropping })]),
  stack('with dropout, at rest', [2, 3], () => [lstm({ units: 2, ...smooth, ...dropping })], {
    training: false,
  }),
  stack('masked steps', [4, 3], () => [masking({ maskValue: 0 }), lstm({ units: 2 })]),
]);

describeLayerGradient('GRU', [
  stack('last output', [4, 3], () => [gru({ units: 2 })]),
  stack('sequences, stacked, no bias', [3, 2], () => [
    gru({ units: 2, returnSequences: true, ...smooth }),
    gru({ units: 2, useBias: false }),
  ]),
  stack('one step', [1, 2], () => [gru({ units: 2 })]),
  stack('with dropout', [3, 4], () => [gru({ units: 3, ...smooth, ...dropping })]),
]);

describeLayerGradient('RNN', [
  stack('over stacked cells', [3, 2], () => [
    rnn({
      cell: [lstmCell({ units: 2 }), gruCell({ units: 3 }), simpleRNNCell({ units: 2 })],
      returnSequences: true,
    }),
  ]),
]);

describeLayerGradient('Bidirectional', [
  stack('concatenated', [3, 2], () => [bidirectional({ layer: lstm({ units: 2 }), mergeMode: 'concat' })]),
  stack('summed sequences', [3, 2], () => [
    bidirectional({ layer: gru({ units: 2, returnSequences: true }), mergeMode: 'sum' }),
  ]),
]);

describeLayerGradient('TimeDistributed', [
  stack('dense', [3, 2], () => [timeDistributed({ layer: dense({ units: 3, activation: 'relu' }) })]),
  stack('a convolution', [2, 4, 2], () => [
    timeDistributed({ layer: conv1d({ filters: 2, kernelSize: 2, activation: 'tanh' }) }),
  ]),
]);

describeLayerGradient('ConvLSTM2D', [
  stack('last output', [3, 4, 3, 2], () => [convLstm2d({ filters: 2, kernelSize: 2, ...smooth })]),
  stack('same padding, strided, no bias, sequences', [2, 4, 4, 1], () => [
    convLstm2d({
      filters: 2,
      kernelSize: 3,
      strides: 2,
      padding: 'same',
      useBias: false,
      returnSequences: true,
    }),
  ]),
  stack('with dropout', [2, 3, 3, 2], () => [
    convLstm2d({ filters: 2, kernelSize: 2, ...smooth, ...dropping }),
  ]),
]);
