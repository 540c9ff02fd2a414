/**
 * Per-example gradients of `tf.layers.conv2dTranspose` and `conv3dTranspose`. Such a layer is a convolution run
 * backwards: the kernel's gradient is a sum over input positions s of x_s times the patch of the output gradient
 * that s was spread over, a matrix [inputs, patch]. The bias, which has no place in it, is a part of its own.
 */
import type * as tf from '@tensorflow/tfjs';
import { asPositions } from '../../kernels/project';
import type { ConvolutionWindow } from '../../kernels/project-patches';
import type { Activations } from './activations';
import type { ConvolutionLayer } from './convolution';
import { toChannelsLast } from './data-format';
import { kernelLayout, vectorMatrix } from './gradient-matrix';
import type { LayerGradient } from './layer-gradient';
import { PatchActivations } from './patch-activations';
import { tapPreActivation } from './pre-activation';
import { VolumeActivations, type VolumeWindow } from './volume-activations';
import { variablesOf } from './weight';

/** `patches` are those of the convolution that the layer runs backwards. */
function transposedConvolution(
  className: string,
  patches: (layer: ConvolutionLayer, image: tf.Tensor) => Activations,
): LayerGradient<ConvolutionLayer> {
  return {
    className,

    parts: ({ kernel, bias }, includeBias) => [
      // [..., outputs, inputs] as [inputs, patch].
      {
        name: 'kernel',
        weights: variablesOf(kernel),
        ...kernelLayout,
        reversed: true,
      },
      { name: 'bias', weights: variablesOf(includeBias ? bias : null), asMatrix: vectorMatrix },
    ],

    forward: (context, tap) =>
      tapPreActivation(context, (output) =>
        tap(output, context.inputs, ([input], outputGradient) => {
          const { layer, includeBias } = context;
          const image = toChannelsLast(outputGradient, layer.dataFormat);
          return [
            {
              activations: patches(layer, image),
              outputGradients: toChannelsLast(input as tf.Tensor, layer.dataFormat),
            },
            layer.bias && includeBias
              ? { gradient: asPositions(image).sum(1).expandDims<tf.Tensor3D>(2) }
              : null,
          ];
        }),
      ),
  };
}

function windowOf({ kernelSize, strides, padding }: ConvolutionLayer): ConvolutionWindow | VolumeWindow {
  return {
    kernelSize,
    strides,
    dilations: kernelSize.map(() => 1),
    padding,
  } as unknown as ConvolutionWindow;
}

export const conv2dTransposeGradient = transposedConvolution(
  'Conv2DTranspose',
  (layer, image) => new PatchActivations(image as tf.Tensor4D, windowOf(layer) as ConvolutionWindow),
);

export const conv3dTransposeGradient = transposedConvolution(
  'Conv3DTranspose',
  (layer, volume) => new VolumeActivations(volume as tf.Tensor5D, windowOf(layer) as VolumeWindow),
);
