/**
 * Registers, on the `wasm` backend, the kernels that gradients need and TensorFlow.js 4.22 leaves out there, and
 * the one that it gets wrong. A missing kernel that a later release provides itself is left alone.
 */
import tf = require('@tensorflow/tfjs');
import { conv2dBackpropFilter } from './conv2d-backprop-filter';
import { depthwiseConv2dBackpropFilter } from './depthwise-conv2d-backprop-filter';
import { depthwiseConv2dBackpropInput } from './depthwise-conv2d-backprop-input';
import { einsum } from './einsum';
import { oneHot } from './one-hot';
import { unsortedSegmentSum } from './unsorted-segment-sum';

const MISSING = [
  conv2dBackpropFilter,
  depthwiseConv2dBackpropFilter,
  depthwiseConv2dBackpropInput,
  einsum,
  unsortedSegmentSum,
];

export function registerWasmKernels(): void {
  for (const kernel of MISSING) {
    const present = tf.getKernel(kernel.kernelName, 'wasm') as tf.KernelConfig | undefined;
    if (present === undefined) tf.registerKernel(kernel);
  }
  // Its own one writes the bits of integers into a float32 output.
  if (tf.getKernel(tf.OneHot, 'wasm') !== oneHot) {
    tf.unregisterKernel(tf.OneHot, 'wasm');
    tf.registerKernel(oneHot);
  }
}
