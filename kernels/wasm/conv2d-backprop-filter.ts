/** Gradient of a 2D convolution with respect to its filter. */
import tf = require('@tensorflow/tfjs');
import type { KernelCall } from './heap';

/**
 * x: [N, H, W, I], dy: [N, H', W', O] -> [FH, FW, I, O], one matrix product for each position in the filter:
 * the inputs that position meets, [I, N·H'·W'], times dy, [N·H'·W', O].
 */
export const conv2dBackpropFilter: tf.KernelConfig = {
  kernelName: tf.Conv2DBackpropFilter,
  backendName: 'wasm',
  kernelFunc: ({ inputs, attrs }: KernelCall) => {
    const { strides, pad, dataFormat, dimRoundingMode, filterShape } =
      attrs as unknown as tf.Conv2DBackpropFilterAttrs;
    if (dataFormat !== 'NHWC') {
      throw new Error(`Conv2DBackpropFilter on the wasm backend takes dataFormat NHWC, not ${dataFormat}`);
    }
    const x = inputs.x as tf.Tensor4D;
    const dy = inputs.dy as tf.Tensor4D;
    const info = tf.backend_util.computeConv2DInfo(x.shape, filterShape, strides, 1, pad, dimRoundingMode);
    return tf.tidy(() => {
      const padded = padded2d(x, info);
      const dyMatrix = tf.reshape(dy, [-1, info.outChannels]); // [N·H'·W', O]
      const products: tf.Tensor2D[] = [];
      for (let row = 0; row < info.filterHeight; row++) {
        for (let column = 0; column < info.filterWidth; column++) {
          const met = tf.reshape(metBy(padded, info, row, column), [-1, info.inChannels]); // [N·H'·W', I]
          // The backend's fast matrix product is the one without transposition.
          products.push(tf.matMul(tf.transpose(met), dyMatrix));
        }
      }
      return tf.reshape(tf.concat(products), filterShape);
    });
  },
};

function padded2d(x: tf.Tensor4D, { padInfo }: tf.backend_util.Conv2DInfo): tf.Tensor4D {
  const { top, bottom, left, right } = padInfo;
  if (top + bottom + left + right === 0) return x;
  return tf.pad4d(x, [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ]);
}

/** The inputs, [N, H', W', I], that the filter's position (row, column) meets as the filter slides. */
function metBy(
  padded: tf.Tensor4D,
  info: tf.backend_util.Conv2DInfo,
  row: number,
  column: number,
): tf.Tensor4D {
  const { batchSize, outHeight, outWidth, inChannels, strideHeight, strideWidth } = info;
  return tf.stridedSlice(
    padded,
    [0, row, column, 0],
    [
      batchSize,
      row + (outHeight - 1) * strideHeight + 1,
      column + (outWidth - 1) * strideWidth + 1,
      inChannels,
    ],
    [1, strideHeight, strideWidth, 1],
  ) as tf.Tensor4D;
}
