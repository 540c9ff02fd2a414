/** Which input, filter and output entries meet in a depthwise convolution. */
import tf = require('@tensorflow/tfjs');

type Attributes = Pick<
  tf.DepthwiseConv2dNativeBackpropFilterAttrs,
  'strides' | 'dilations' | 'pad' | 'dimRoundingMode'
>;

/** Shapes and offsets of a depthwise convolution over `inputShape` [N, H, W, I], `filterShape` [FH, FW, I, M]. */
export function depthwiseInfo(inputShape: number[], filterShape: number[], attributes: Attributes) {
  return tf.backend_util.computeConv2DInfo(
    inputShape as [number, number, number, number],
    filterShape as [number, number, number, number],
    attributes.strides,
    attributes.dilations,
    attributes.pad,
    attributes.dimRoundingMode,
    true,
  );
}

/**
 * Calls `visit` once for every input pixel, filter position and output pixel that meet, with the offset of each
 * one's first channel. Channel i of the input and entry (i, m) of the filter make channel i·M + m of the output.
 */
export function forEachMeeting(
  info: tf.backend_util.Conv2DInfo,
  visit: (input: number, filter: number, output: number) => void,
): void {
  const { top, left } = info.padInfo;
  const filterChannels = info.outChannels; // I·M
  for (let example = 0; example < info.batchSize; example++) {
    for (let outRow = 0; outRow < info.outHeight; outRow++) {
      for (let outColumn = 0; outColumn < info.outWidth; outColumn++) {
        const output = (example * info.outHeight + outRow) * info.outWidth + outColumn;
        for (let row = 0; row < info.filterHeight; row++) {
          const inRow = outRow * info.strideHeight + row * info.dilationHeight - top;
          if (inRow < 0 || inRow >= info.inHeight) continue;
          for (let column = 0; column < info.filterWidth; column++) {
            const inColumn = outColumn * info.strideWidth + column * info.dilationWidth - left;
            if (inColumn < 0 || inColumn >= info.inWidth) continue;
            const input = (example * info.inHeight + inRow) * info.inWidth + inColumn;
            const filter = row * info.filterWidth + column;
            visit(input * info.inChannels, filter * filterChannels, output * info.outChannels);
          }
        }
      }
    }
  }
}
