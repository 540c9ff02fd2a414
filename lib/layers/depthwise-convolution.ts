/** Per-example gradients of `tf.layers.depthwiseConv2d`: each channel has a map of its own patches, so no matrix is shared. */
import * as tf from '@tensorflow/tfjs';
import { toChannelsLast, type DataFormat } from './data-format';
import type { LayerGradient } from './layer-gradient';
import { tapPreActivation, type ActivatedLayer } from './pre-activation';
import { variablesOf, type Weight } from './weight';

/** A depthwise convolution's geometry. */
export interface DepthwiseWindow {
  readonly kernelSize: number[];
  readonly strides: [number, number];
  readonly padding: 'same' | 'valid';
}

interface DepthwiseConvolutionLayer extends ActivatedLayer, DepthwiseWindow {
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
        const gradients = toChannelsLast(outputGradient, layer.dataFormat) as tf.Tensor4D;
        const kernel = depthwiseGradients(image, gradients, layer);
        if (!layer.bias || !includeBias) return [{ gradient: kernel }];
        const bias = gradients.sum([1, 2]).expandDims<tf.Tensor3D>(2);
        return [{ gradient: tf.concat3d([kernel, bias], 2) }]; // [N, C m, kh kw + 1]
      }),
    ),
};

/** A kernel [kh, kw, C, m] as [C m, kh kw]. */
export function depthwiseMatrix(kernel: tf.Tensor4D): tf.Tensor2D {
  const [height, width, channels, multiplier] = kernel.shape;
  return kernel.reshape<tf.Tensor2D>([height * width, channels * multiplier]).transpose();
}

/**
 * Each example's gradient of a depthwise kernel, [N, C m, kh kw], from the input [N, H, W, C] and the output gradient
 * [N, H', W', C m]: that of one image in which the examples' channels lie side by side.
 */
export function depthwiseGradients(
  input: tf.Tensor4D,
  outputGradients: tf.Tensor4D,
  { kernelSize, strides, padding }: DepthwiseWindow,
): tf.Tensor3D {
  const [n, , , channels] = input.shape;
  const outputs = outputGradients.shape[3];
  const [height = 1, width = 1] = kernelSize;
  const gradient: tf.Tensor = tf.engine().runKernel(
    tf.DepthwiseConv2dNativeBackpropFilter,
    { x: sideBySide(input), dy: sideBySide(outputGradients) },
    {
      strides,
      pad: padding,
      dilations: [1, 1],
      filterShape: [height, width, n * channels, outputs / channels],
    },
  );
  return gradient.reshape<tf.Tensor3D>([height * width, n, outputs]).transpose([1, 2, 0]);
}

/** [N, H, W, C] -> [1, H, W, N C]. */
function sideBySide(x: tf.Tensor4D): tf.Tensor4D {
  const [n, height, width, channels] = x.shape;
  return x.transpose([1, 2, 0, 3]).reshape([1, height, width, n * channels]);
}
