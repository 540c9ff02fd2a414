import tf = require('@tensorflow/tfjs');
import { describeLayerGradient } from '../contract/layer-gradient-contract';
import { stack } from '../contract/stacked-layers';

const { batchNormalization, conv2d, dense, prelu } = tf.layers;

// Without gamma or beta, tfjs can neither train this layer nor differentiate through it.
describeLayerGradient('BatchNormalization', [
  stack('at rest', [4], () => [batchNormalization(), dense({ units: 2 })], { training: false }),
  stack('at rest, many positions', [3, 2, 4], () => [batchNormalization()], { training: false }),
  stack('at rest, channels first', [3, 2, 4], () => [batchNormalization({ axis: 1 })], {
    training: false,
    untrainable: true,
    wrongOnWasm: true,
  }),
  stack('in training', [4], () => [batchNormalization(), dense({ units: 2 })], { mixesExamples: true }),
  stack(
    'in training, images',
    [4, 3, 2],
    () => [conv2d({ filters: 3, kernelSize: 2 }), batchNormalization()],
    {
      mixesExamples: true,
    },
  ),
  stack('in training, channels first', [2, 3, 4], () => [batchNormalization({ axis: 1 })], {
    mixesExamples: true,
    untrainable: true,
    wrongOnWasm: true,
  }),
]);

describeLayerGradient('PReLU', [
  stack('of vectors', [5], () => [prelu({ alphaInitializer: 'randomNormal' }), dense({ units: 2 })]),
  stack('shared by positions', [3, 2, 4], () => [prelu({ sharedAxes: [1, 2] })]),
  stack('shared by channels', [3, 2], () => [prelu({ sharedAxes: [2] })], { wrongOnWasm: true }),
]);
