/**
 * Registers, on the `wasm` backend, the kernels that gradients need and TensorFlow.js 4.22 leaves out there.
 * A kernel that a later release provides itself is left alone.
 */
import * as tf from '@tensorflow/tfjs';
import { conv2dBackpropFilter } from './conv2d-backprop-filter';
import { depthwiseConv2dBackpropFilter } from './depthwise-conv2d-backprop-filter';
import { depthwiseConv2dBackpropInput } from './depthwise-conv2d-backprop-input';
import { einsum } from './einsum';
import { unsortedSegmentSum } from './unsorted-segment-sum';

const KERNELS = [
  conv2dBackpropFilter,
  depthwiseConv2dBackpropFilter,
  depthwiseConv2dBackpropInput,
  einsum,
  unsortedSegmentSum,
];

export function registerWasmKernels(): void {
  for (const kernel of KERNELS) {
    const present = tf.getKernel(kernel.kernelName, 'wasm') as tf.KernelConfig | undefined;
    if (present === undefined) tf.registerKernel(kernel);
  }
}
