/** Per-example gradients of `tf.layers.separableConv2d`: a depthwise convolution, then a linear map at each position. */
import tf = require('@tensorflow/tfjs');
import { depthwiseGradients } from '../../kernels/depthwise-gradients';
import { DenseActivations } from './activations';
import { fromChannelsLast, toChannelsLast, type DataFormat } from './data-format';
import { depthwiseMatrix, depthwiseWindow } from './depthwise-convolution';
import { kernelLayout } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import type { ActivatedLayer } from './pre-activation';
import { variablesOf, type Weight } from './weight';

interface SeparableConvolutionLayer extends ActivatedLayer {
  readonly depthwiseKernel: NonNullable<Weight>;
  readonly pointwiseKernel: NonNullable<Weight>;
  readonly bias: Weight;
  readonly kernelSize: number[];
  readonly strides: [number, number];
  readonly dilationRate: [number, number];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: DataFormat;
}

export const separableConv2dGradient: LayerGradient<SeparableConvolutionLayer> = {
  className: 'SeparableConv2D',

  parts({ depthwiseKernel, pointwiseKernel, bias, dilationRate, dataFormat }, includeBias) {
    // tfjs differentiates no dilated depthwise convolution, and adds the bias of channels that come first to the rows.
    const dilated = dilationRate.some((rate) => rate !== 1);
    if (dilated || (bias && dataFormat === 'channelsFirst')) return [];
    return [
      {
        name: 'depthwise',
        weights: variablesOf(depthwiseKernel),
        asMatrix: ([kernel]) => depthwiseMatrix(kernel as tf.Tensor4D),
      },
      {
        name: 'pointwise',
        weights: variablesOf(pointwiseKernel, includeBias ? bias : null),
        ...kernelLayout,
      },
    ];
  },

  /** `tf.separableConv2d` taken apart, and around it what tfjs's layer does. */
  forward({ layer, inputs }, tap) {
    const { strides, padding, dataFormat, bias, activation } = layer;
    const [depthwiseKernel, pointwiseKernel] = [layer.depthwiseKernel, layer.pointwiseKernel].map(
      (weight) => weight.read() as unknown as tf.Tensor4D,
    ) as [tf.Tensor4D, tf.Tensor4D];
    const image = toChannelsLast(inputs[0] as tf.Tensor, dataFormat) as tf.Tensor4D;
    const depthwise = tap(
      tf.depthwiseConv2d(image, depthwiseKernel, strides, padding, 'NHWC', layer.dilationRate),
      [image],
      ([image], outputGradient) => [
        {
          gradient: depthwiseGradients({
            image: image as tf.Tensor4D,
            outputGradients: outputGradient as tf.Tensor4D,
            window: depthwiseWindow(layer),
          }),
        },
        null,
      ],
    ) as tf.Tensor4D;
    const pointwise: tf.Tensor = tf.conv2d(depthwise, pointwiseKernel, 1, 'valid', 'NHWC');
    const output = tap(
      bias ? pointwise.add(bias.read()) : pointwise,
      [depthwise],
      ([depthwise], outputGradient) => [
        null,
        { activations: new DenseActivations(depthwise as tf.Tensor), outputGradients: outputGradient },
      ],
    );
    return fromChannelsLast(activation.apply(output), dataFormat);
  },
};
