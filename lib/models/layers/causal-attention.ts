/** Causal attention, forward and backward, without copies of keys and values. */
import * as tf from '@tensorflow/tfjs';
import { SecondDerivativeError } from '../../errors';

export interface CausalAttentionOptions {
  /** What products of queries and keys are multiplied by. */
  readonly scale: number;
  /** How many positions a query sees, its own and those before it; null for all. */
  readonly window: number | null;
}

/** Added to products of positions that a query does not see: far below any other, and finite. */
const UNSEEN = -1e9;

/**
 * softmax(scale Q Kᵀ + mask) V, a position seeing itself and earlier ones.
 *
 * Its gradient is that of the whole, by its formulas: what the softmax's needs of the products with the weights is
 * the product of output and its gradient, [.., D] in place of [.., S]. Differentiable once, or a SecondDerivativeError is thrown.
 *
 * @param query float32 [N, H, S, D].
 * @param key float32 [N, K, S, D], K a divisor of H: heads h H / K up to (h + 1) H / K share key and value h.
 * @param value as `key`.
 * @returns float32 [N, H, S, D]; the caller disposes it.
 * @see Vaswani et al., arXiv 1706.03762, section 3.2.1; Dao et al., arXiv 2205.14135, appendix B.2.
 */
export function causalAttention(
  query: tf.Tensor4D,
  key: tf.Tensor4D,
  value: tf.Tensor4D,
  { scale, window }: CausalAttentionOptions,
): tf.Tensor4D {
  const [n, heads, positions, size] = query.shape;
  const groups = key.shape[1];
  // Heads of one key lie behind each other as if they were positions, so that one product serves them all.
  const grouped = (x: tf.Tensor, last: number) =>
    x.reshape<tf.Tensor4D>([n, groups, (heads / groups) * positions, last]);

  return tf.customGrad((q, k, v, save) => {
    const [query, key, value] = [q, k, v] as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    const scaled = grouped(scale === 1 ? query : tf.mul(query, scale), size);
    const products = tf
      .matMul(scaled, key, false, true)
      .reshape<tf.Tensor4D>([n, heads, positions, positions]);
    const weights = grouped(tf.softmax(tf.add(products, causalMask(positions, window))), positions);
    const output = tf.matMul(weights, value); // [N, K, H / K S, D]
    (save as unknown as tf.GradSaveFunc)([scaled, key, value, weights, output]);
    return {
      value: output.reshape<tf.Tensor4D>([n, heads, positions, size]),
      gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) => {
        if (tf.engine().isTapeOn()) throw new SecondDerivativeError('causal attention');
        const [scaled, key, value, weights, output] = saved as [
          tf.Tensor4D,
          tf.Tensor4D,
          tf.Tensor4D,
          tf.Tensor4D,
          tf.Tensor4D,
        ];
        const dOutput = grouped(dy, size);
        const dWeights = tf.matMul(dOutput, value, false, true); // [N, K, H / K S, S]
        const along = tf.sum(tf.mul(dOutput, output), -1, true); // [N, K, H / K S, 1]
        const dProducts = tf.mul(weights, tf.sub(dWeights, along));
        const dScaled = tf.matMul(dProducts, key).reshape<tf.Tensor4D>([n, heads, positions, size]);
        return [
          scale === 1 ? dScaled : tf.mul(dScaled, scale),
          tf.matMul(dProducts, scaled, true, false),
          tf.matMul(weights, dOutput, true, false),
        ];
      },
    };
  })(query, key, value);
}

/** [S, S]: 0 where the row's position sees the column's. */
function causalMask(positions: number, window: number | null): tf.Tensor2D {
  const index = tf.range(0, positions, 1, 'float32');
  const back = tf.sub(index.expandDims(1), index.expandDims(0)); // how far the column lies before the row
  const later = tf.less(back, 0);
  const unseen = window === null ? later : tf.logicalOr(later, tf.greaterEqual(back, window));
  return tf.mul(tf.cast(unseen, 'float32'), UNSEEN);
}

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

/**
 * Queries, keys and values that are the outputs of one map, [N, S, 3 H D], as [N, H, S, D] each, by one copy. `order` is
 * theirs: all queries before all keys, or each head's query before its key.
 */
export function splitQueryKeyValue(
  x: tf.Tensor3D,
  heads: number,
  order: 'map by map' | 'head by head',
): [query: tf.Tensor4D, key: tf.Tensor4D, value: tf.Tensor4D] {
  const [n, positions, channels] = x.shape;
  const size = channels / (3 * heads);
  const apart =
    order === 'map by map'
      ? x.reshape([n, positions, 3, heads, size]).transpose([2, 0, 3, 1, 4])
      : x.reshape([n, positions, heads, 3, size]).transpose([3, 0, 2, 1, 4]);
  return tf.unstack(apart) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
}
