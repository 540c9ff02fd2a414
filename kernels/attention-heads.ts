/** Between the channels of linear maps' outputs and the heads of attention. */
import tf = require('@tensorflow/tfjs');

/** How one map's outputs hold queries, keys and values: all queries before all keys, or each head's query before its key. */
export type HeadOrder = 'map by map' | 'head by head';

/** float32 [N, H, S, D], of queries, keys and values. */
export type Heads = [query: tf.Tensor4D, key: tf.Tensor4D, value: tf.Tensor4D];

/** [N, S, H D] -> [N, H, S, D]. */
export function splitHeads(x: tf.Tensor3D, heads: number): tf.Tensor4D {
  const [n, positions, channels] = x.shape;
  return x.reshape([n, positions, heads, channels / heads]).transpose<tf.Tensor4D>([0, 2, 1, 3]);
}

/** [N, H, S, D] -> [N, S, H D]. */
export function joinHeads(x: tf.Tensor4D): tf.Tensor3D {
  const [n, heads, positions, size] = x.shape;
  return x.transpose([0, 2, 1, 3]).reshape([n, positions, heads * size]);
}

/** [N, S, 3 H D] -> three times [N, H, S, D], by one copy. */
export function splitQueryKeyValue(x: tf.Tensor3D, heads: number, order: HeadOrder): Heads {
  const [n, positions, channels] = x.shape;
  const size = channels / (3 * heads);
  const apart =
    order === 'map by map'
      ? x.reshape([n, positions, 3, heads, size]).transpose([2, 0, 3, 1, 4])
      : x.reshape([n, positions, heads, 3, size]).transpose([3, 0, 2, 1, 4]);
  return tf.unstack(apart) as Heads;
}

/** Three times [N, H, S, D] -> [N, S, 3 H D]. */
export function joinQueryKeyValue(heads: Heads, order: HeadOrder): tf.Tensor3D {
  const [n, count, positions, size] = heads[0].shape;
  const together = tf.stack(heads); // [3, N, H, S, D]
  return together
    .transpose(order === 'map by map' ? [1, 3, 0, 2, 4] : [1, 3, 2, 0, 4])
    .reshape([n, positions, 3 * count * size]);
}
