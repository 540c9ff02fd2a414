/** Per-example gradients of `tf.layers.conv1d` and `tf.layers.conv2d`: a linear map of the patches under the kernel. */
import tf = require('@tensorflow/tfjs');
import type { ConvolutionWindow } from '../../kernels/project-patches';
import { fromChannelsLast, toChannelsLast, type DataFormat } from './data-format';
import { kernelLayer, type KernelLayer } from './kernel-layer';
import type { LayerGradient } from './layer-gradient';
import { PatchActivations } from './patch-activations';

export interface ConvolutionLayer extends KernelLayer {
  readonly kernelSize: number[];
  readonly strides: number[];
  readonly dilationRate: number | number[];
  readonly padding: 'same' | 'valid';
  readonly dataFormat: DataFormat;
}

/** A convolution over `rank` spatial axes; one axis is two of which the first has length one. */
function convolutionGradient(className: string, rank: 1 | 2): LayerGradient<ConvolutionLayer> {
  const asImage = ({ dataFormat }: ConvolutionLayer, x: tf.Tensor): tf.Tensor4D => {
    const last = toChannelsLast(x, dataFormat);
    return rank === 2 ? (last as tf.Tensor4D) : last.expandDims(1);
  };
  return kernelLayer<ConvolutionLayer>(className, {
    factors: (layer, input, outputGradient) => ({
      activations: new PatchActivations(asImage(layer, input), windowOf(layer)),
      outputGradients: asImage(layer, outputGradient),
    }),
    linear: rank === 2 ? linear : undefined,
  });
}

/** A two-dimensional layer without its activation, in the layer's data format. */
function linear(layer: ConvolutionLayer, inputs: tf.Tensor): tf.Tensor {
  const image = toChannelsLast(inputs, layer.dataFormat) as tf.Tensor4D;
  const { strides, dilations, padding } = windowOf(layer);
  const kernel = layer.kernel.read() as unknown as tf.Tensor4D;
  const product: tf.Tensor = tf.conv2d(image, kernel, strides, padding, 'NHWC', dilations);
  return fromChannelsLast(layer.bias ? product.add(layer.bias.read()) : product, layer.dataFormat);
}

function windowOf({ kernelSize, strides, dilationRate, padding }: ConvolutionLayer): ConvolutionWindow {
  const dilations = typeof dilationRate === 'number' ? kernelSize.map(() => dilationRate) : dilationRate;
  return { kernelSize: pair(kernelSize), strides: pair(strides), dilations: pair(dilations), padding };
}

function pair(sizes: number[]): [number, number] {
  const [first = 1, second] = sizes;
  return second === undefined ? [1, first] : [first, second];
}

export const conv1dGradient = convolutionGradient('Conv1D', 1);
export const conv2dGradient = convolutionGradient('Conv2D', 2);
