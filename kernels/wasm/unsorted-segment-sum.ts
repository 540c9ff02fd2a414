/** Gradient of `gather`, and so of embeddings: adds up the rows of `x` that share a segment id. */
import tf = require('@tensorflow/tfjs');
import { type KernelCall, fillOutput } from './heap';

/** x: [R, …], segmentIds: [R] -> [numSegments, …]. Rows whose id is no segment are dropped, as elsewhere. */
export const unsortedSegmentSum: tf.KernelConfig = {
  kernelName: tf.UnsortedSegmentSum,
  backendName: 'wasm',
  kernelFunc: (call: KernelCall) => {
    const { numSegments } = call.attrs as unknown as tf.UnsortedSegmentSumAttrs;
    const x = call.inputs.x!;
    const idsShape = call.inputs.segmentIds!.shape;
    const rowShape = x.shape.slice(idsShape.length);
    const width = tf.util.sizeFromShape(rowShape);
    return fillOutput(call, [numSegments, ...rowShape], x.dtype, (output, input) => {
      const rows = input('x');
      const ids = input('segmentIds');
      ids.forEach((segment, row) => {
        if (segment < 0 || segment >= numSegments) return;
        const from = row * width;
        const to = segment * width;
        for (let column = 0; column < width; column++) output[to + column]! += rows[from + column]!;
      });
    });
  },
};
