/** One-hot rows of any dtype. */
import tf = require('@tensorflow/tfjs');
import { type KernelCall, fillOutput } from './heap';

/** indices: int32 [...] -> [..., depth]. A row whose index is out of range has no hot entry. */
export const oneHot: tf.KernelConfig = {
  kernelName: tf.OneHot,
  backendName: 'wasm',
  kernelFunc: (call: KernelCall) => {
    const { dtype, depth, onValue, offValue } = call.attrs as unknown as tf.OneHotAttrs;
    return fillOutput(call, [...call.inputs.indices!.shape, depth], dtype, (output, input) => {
      output.fill(offValue);
      input('indices').forEach((index, row) => {
        if (index >= 0 && index < depth) output[row * depth + index] = onValue;
      });
    });
  },
};
