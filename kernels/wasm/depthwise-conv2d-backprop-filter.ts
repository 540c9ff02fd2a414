/** Gradient of a depthwise 2D convolution with respect to its filter. */
import tf = require('@tensorflow/tfjs');
import { depthwiseInfo, forEachMeeting } from './depthwise-positions';
import { type KernelCall, fillOutput } from './heap';

/** x: [N, H, W, I], dy: [N, H', W', I·M] -> [FH, FW, I, M]. */
export const depthwiseConv2dBackpropFilter: tf.KernelConfig = {
  kernelName: tf.DepthwiseConv2dNativeBackpropFilter,
  backendName: 'wasm',
  kernelFunc: (call: KernelCall) => {
    const attributes = call.attrs as unknown as tf.DepthwiseConv2dNativeBackpropFilterAttrs;
    const info = depthwiseInfo(call.inputs.x!.shape, attributes.filterShape, attributes);
    const multiplier = info.outChannels / info.inChannels;
    return fillOutput(call, attributes.filterShape, 'float32', (output, input) => {
      const x = input('x');
      const dy = input('dy');
      // Thousands of terms go into one entry: they are added up in double precision.
      const sums = new Float64Array(output.length);
      forEachMeeting(info, (pixel, filter, out) => {
        for (let channel = 0; channel < info.outChannels; channel++) {
          const value = x[pixel + Math.floor(channel / multiplier)]!;
          sums[filter + channel]! += value * dy[out + channel]!;
        }
      });
      output.set(sums);
    });
  },
};
