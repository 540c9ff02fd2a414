import tf = require('@tensorflow/tfjs');
import { describeLayerGradient } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';

const { conv1d, conv2d, conv3d, conv2dTranspose, conv3dTranspose, depthwiseConv2d, separableConv2d } =
  tf.layers;

describeLayerGradient('Conv1D', [
  stack('linear', [6, 3], () => [conv1d({ filters: 4, kernelSize: 3 })]),
  stack('same padding, even kernel, stride', [7, 3], () => [
    conv1d({ filters: 4, kernelSize: 4, padding: 'same', strides: 2, activation: 'tanh' }),
    conv1d({ filters: 2, kernelSize: 1, useBias: false }),
  ]),
  stack(
    'dilated',
    [9, 2],
    () => [conv1d({ filters: 3, kernelSize: 3, dilationRate: 2, activation: 'tanh' })],
    { untrainable: true },
  ),
]);

describeLayerGradient('Conv2D', [
  stack('linear', [5, 6, 2], () => [conv2d({ filters: 3, kernelSize: 3 })]),
  stack('same padding, activations, stacked', [6, 5, 2], () => [
    conv2d({ filters: 3, kernelSize: [3, 2], padding: 'same', activation: 'tanh' }),
    conv2d({ filters: 2, kernelSize: 2, activation: 'elu', useBias: false }),
  ]),
  stack('strided, same padding', [7, 6, 3], () => [
    conv2d({ filters: 4, kernelSize: 3, strides: [2, 3], padding: 'same', activation: 'sigmoid' }),
  ]),
  stack('dilated', [8, 7, 2], () => [conv2d({ filters: 3, kernelSize: [2, 3], dilationRate: 2 })], {
    untrainable: true,
  }),
  stack('channels first', [2, 5, 6], () => [
    conv2d({ filters: 3, kernelSize: [3, 2], activation: 'elu', dataFormat: 'channelsFirst' }),
  ]),
  stack('one position', [3, 3, 2], () => [conv2d({ filters: 3, kernelSize: 3 })]),
]);

describeLayerGradient('Conv3D', [
  stack('linear', [3, 4, 3, 2], () => [conv3d({ filters: 3, kernelSize: [2, 3, 2] })]),
  stack(
    'strided, same padding, activation, stacked',
    [4, 3, 4, 2],
    () => [
      conv3d({ filters: 2, kernelSize: 2, strides: [1, 2, 2], padding: 'same', activation: 'relu' }),
      conv3d({ filters: 2, kernelSize: 1, useBias: false }),
    ],
    { wrongOnWasm: true },
  ),
  stack('channels first', [2, 3, 3, 4], () => [
    conv3d({ filters: 2, kernelSize: 2, activation: 'tanh', dataFormat: 'channelsFirst' }),
  ]),
  stack('one position', [2, 2, 2, 1], () => [conv3d({ filters: 2, kernelSize: 2 })]),
]);

describeLayerGradient('Conv2DTranspose', [
  stack('linear', [3, 4, 2], () => [conv2dTranspose({ filters: 3, kernelSize: 3 })]),
  stack('strided, same padding, activations, stacked', [3, 2, 2], () => [
    conv2dTranspose({ filters: 3, kernelSize: [3, 2], strides: 2, padding: 'same', activation: 'relu' }),
    conv2dTranspose({ filters: 2, kernelSize: 2, strides: [1, 2], useBias: false, activation: 'tanh' }),
  ]),
  stack('channels first', [2, 3, 2], () => [
    conv2dTranspose({ filters: 3, kernelSize: 2, activation: 'sigmoid', dataFormat: 'channelsFirst' }),
  ]),
  stack('one position', [1, 1, 2], () => [conv2dTranspose({ filters: 3, kernelSize: 2 })]),
]);

describeLayerGradient('Conv3DTranspose', [
  stack(
    'strided',
    [2, 3, 2, 2],
    () => [conv3dTranspose({ filters: 2, kernelSize: 2, strides: 2, activation: 'tanh' })],
    {
      untrainable: true,
      wrongOnWasm: true,
    },
  ),
]);

describeLayerGradient('DepthwiseConv2D', [
  stack('linear', [5, 4, 3], () => [depthwiseConv2d({ kernelSize: 3 })]),
  stack('several outputs a channel, same padding, activation, stacked', [5, 4, 2], () => [
    depthwiseConv2d({ kernelSize: [3, 2], depthMultiplier: 2, padding: 'same', activation: 'relu' }),
    depthwiseConv2d({ kernelSize: 2, useBias: false, activation: 'tanh' }),
  ]),
  stack('strided', [7, 5, 2], () => [depthwiseConv2d({ kernelSize: 3, strides: 2, padding: 'same' })]),
  stack('channels first', [2, 5, 4], () => [
    depthwiseConv2d({ kernelSize: 2, depthMultiplier: 2, dataFormat: 'channelsFirst', useBias: false }),
  ]),
  stack('one position', [2, 2, 3], () => [depthwiseConv2d({ kernelSize: 2 })]),
]);

describeLayerGradient('SeparableConv2D', [
  stack('linear', [5, 4, 3], () => [separableConv2d({ filters: 4, kernelSize: 3 })]),
  stack('several outputs a channel, same padding, activation, stacked', [5, 4, 2], () => [
    separableConv2d({ filters: 3, kernelSize: 2, depthMultiplier: 2, padding: 'same', activation: 'relu' }),
    separableConv2d({ filters: 2, kernelSize: 2, strides: 2, useBias: false, activation: 'tanh' }),
  ]),
  stack('channels first, no bias', [2, 4, 5], () => [
    separableConv2d({
      filters: 3,
      kernelSize: 2,
      useBias: false,
      dataFormat: 'channelsFirst',
      activation: 'tanh',
    }),
  ]),
]);
