/** Where images and volumes keep their channels. All run inside the caller's `tf.tidy`. */
import type * as tf from '@tensorflow/tfjs';

export type DataFormat = 'channelsFirst' | 'channelsLast';

/** [N, C, ...] -> [N, ..., C] if the layer keeps channels first. */
export function toChannelsLast(x: tf.Tensor, dataFormat: DataFormat): tf.Tensor {
  if (dataFormat === 'channelsLast') return x;
  const [batch, channels, ...spatial] = x.shape.map((_, axis) => axis);
  return x.transpose([batch ?? 0, ...spatial, channels ?? 1]);
}

/** [N, ..., C] -> [N, C, ...] if the layer keeps channels first. */
export function fromChannelsLast(x: tf.Tensor, dataFormat: DataFormat): tf.Tensor {
  if (dataFormat === 'channelsLast') return x;
  const axes = x.shape.map((_, axis) => axis);
  return x.transpose([0, x.rank - 1, ...axes.slice(1, -1)]);
}
