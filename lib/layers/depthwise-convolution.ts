/** Per-example gradients of `tf.layers.depthwiseConv2d`: each channel has a map of its own patches, so no matrix is shared. */
import tf = require('@tensorflow/tfjs');
import { depthwiseGradients } from '../../kernels/depthwise-gradients';
import type { ConvolutionWindow } from '../../kernels/project-patches';
import { toChannelsLast, type DataFormat } from './data-format';
import type { LayerGradient } from './layer-gradient';
import { tapPreActivation, type ActivatedLayer } from './pre-activation';
import { variablesOf, type Weight } from './weight';

interface DepthwiseConvolutionLayer extends ActivatedLayer, DepthwiseGeometry {
  readonly depthwiseKernel: NonNullable<Weight>;
  readonly bias: Weight;
  readonly dataFormat: DataFormat;
}

export const depthwiseConv2dGradient: LayerGradient<DepthwiseConvolutionLayer> = {
  className: 'DepthwiseConv2D',

  parts: ({ depthwiseKernel, bias }, includeBias) => [
    {
      name: '',
      weights: variablesOf(depthwiseKernel, includeBias ? bias : null),
      asMatrix: ([kernel, bias]) => {
        const matrix = depthwiseMatrix(kernel as tf.Tensor4D);
        return bias === undefined ? matrix : tf.concat2d([matrix, bias.reshape([-1, 1])], 1);
      },
    },
  ],

  forward: (context, tap) =>
    tapPreActivation(context, (output) =>
      tap(output, context.inputs, ([input], outputGradient) => {
        const { layer, includeBias } = context;
        const image = toChannelsLast(input as tf.Tensor, layer.dataFormat) as tf.Tensor4D;
        const outputGradients = toChannelsLast(outputGradient, layer.dataFormat) as tf.Tensor4D;
        const kernel = depthwiseGradients({ image, outputGradients, window: depthwiseWindow(layer) });
        if (!layer.bias || !includeBias) return [{ gradient: kernel }];
        const bias = outputGradients.sum([1, 2]).expandDims<tf.Tensor3D>(2);
        return [{ gradient: tf.concat3d([kernel, bias], 2) }]; // [N, C m, kh kw + 1]
      }),
    ),
};

/** A kernel [kh, kw, C, m] as [C m, kh kw]. */
export function depthwiseMatrix(kernel: tf.Tensor4D): tf.Tensor2D {
  const [height, width, channels, multiplier] = kernel.shape;
  return kernel.reshape<tf.Tensor2D>([height * width, channels * multiplier]).transpose();
}

/** A depthwise convolution's geometry, as layers keep it. */
interface DepthwiseGeometry {
  readonly kernelSize: number[];
  readonly strides: [number, number];
  readonly dilationRate: [number, number];
  readonly padding: 'same' | 'valid';
}

export function depthwiseWindow(layer: DepthwiseGeometry): ConvolutionWindow {
  const { kernelSize, strides, dilationRate: dilations, padding } = layer;
  return { kernelSize: kernelSize as [number, number], strides, dilations, padding };
}
