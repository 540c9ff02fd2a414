/** Gradient of a depthwise 2D convolution with respect to its input. */
import tf = require('@tensorflow/tfjs');
import { depthwiseInfo, forEachMeeting } from './depthwise-positions';
import { type KernelCall, fillOutput } from './heap';

/** dy: [N, H', W', I·M], filter: [FH, FW, I, M] -> [N, H, W, I]. */
export const depthwiseConv2dBackpropInput: tf.KernelConfig = {
  kernelName: tf.DepthwiseConv2dNativeBackpropInput,
  backendName: 'wasm',
  kernelFunc: (call: KernelCall) => {
    const attributes = call.attrs as unknown as tf.DepthwiseConv2dNativeBackpropInputAttrs;
    const info = depthwiseInfo(attributes.inputShape, call.inputs.filter!.shape, attributes);
    const multiplier = info.outChannels / info.inChannels;
    return fillOutput(call, attributes.inputShape, 'float32', (output, input) => {
      const dy = input('dy');
      const weights = input('filter');
      forEachMeeting(info, (pixel, filter, out) => {
        for (let channel = 0; channel < info.outChannels; channel++) {
          const term = dy[out + channel]! * weights[filter + channel]!;
          output[pixel + Math.floor(channel / multiplier)]! += term;
        }
      });
    });
  },
};
