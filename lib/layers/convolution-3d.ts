/** Per-example gradients of `tf.layers.conv3d`: a linear map of the blocks under the kernel. */
import type * as tf from '@tensorflow/tfjs';
import type { ConvolutionLayer } from './convolution';
import { toChannelsLast } from './data-format';
import { kernelLayer } from './kernel-layer';
import { VolumeActivations, type VolumeWindow } from './volume-activations';

export const conv3dGradient = kernelLayer<ConvolutionLayer>('Conv3D', {
  factors: (layer, input, outputGradient) => {
    const volume = toChannelsLast(input, layer.dataFormat) as tf.Tensor5D;
    return {
      activations: new VolumeActivations(volume, windowOf(layer)),
      outputGradients: toChannelsLast(outputGradient, layer.dataFormat),
    };
  },
});

function windowOf({ kernelSize, strides, dilationRate, padding }: ConvolutionLayer): VolumeWindow {
  const dilations = typeof dilationRate === 'number' ? kernelSize.map(() => dilationRate) : dilationRate;
  return { kernelSize, strides, dilations, padding } as VolumeWindow;
}
