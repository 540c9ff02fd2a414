/**
 * Causal attention and its gradients: the definition in plain tfjs operations, and the addon's two operations, which keep no
 * matrix of positions by positions, skip what no query sees, and read and write heads where the maps have them.
 */
import tf = require('@tensorflow/tfjs');
import {
  joinHeads,
  joinQueryKeyValue,
  splitHeads,
  splitQueryKeyValue,
  type HeadOrder,
  type Heads,
} from './attention-heads';
import { nativeProcessor } from './native';
import { rotaryAngles, rotate } from './rotary';
import type { OpAttribute, TensorFlowBackend } from './tensorflow-backend';

export interface CausalAttention {
  readonly heads: number;
  /** Heads of keys and values, each shared by as many of the queries' in turn: a divisor of `heads`. */
  readonly keyHeads: number;
  /** What products of queries and keys are multiplied by. */
  readonly scale: number;
  /** How many positions a query sees, its own and those before it; null for all. */
  readonly window: number | null;
  /** Of rotary embeddings, radians a position for each pair of a head's channels; null for none. */
  readonly frequencies: readonly number[] | null;
  /** How the only input holds queries, keys and values; null where they are three. */
  readonly order: HeadOrder | null;
}

export interface AttentionKernel {
  /**
   * float32 [N, S, H D], and what the gradients take. Runs inside the caller's `tf.tidy`.
   *
   * @param inputs float32: queries [N, S, H D], keys and values [N, S, K D]; or all three, of as many heads, [N, S, 3 H D].
   */
  forward(
    inputs: readonly tf.Tensor3D[],
    attention: CausalAttention,
  ): { readonly output: tf.Tensor3D; readonly saved: tf.Tensor[] };
  /** The gradient of each input. Runs inside the caller's `tf.tidy`. */
  backward(outputGradients: tf.Tensor3D, saved: tf.Tensor[], attention: CausalAttention): tf.Tensor3D[];
}

/** What serves causal attention: the addon, or plain operations where there is none and on a GPU. */
export function attentionKernel(): AttentionKernel {
  const backend = nativeProcessor();
  return backend === null ? plainAttention : nativeAttention(backend);
}

/** Added to products of positions that a query does not see: far below any other, and finite. */
const UNSEEN = -1e9;

/**
 * The definition: softmax(scale Q Kᵀ + mask) V, a position seeing itself and earlier ones.
 *
 * What the softmax's gradient needs of the products with the weights is the product of output and its gradient, [.., D] in place
 * of [.., S].
 */
export const plainAttention: AttentionKernel = {
  forward(inputs, attention) {
    const { heads, scale, window } = attention;
    const [query, key, value] = headsOf(inputs, attention);
    const [n, , positions, size] = query.shape;
    const scaled = grouped(scale === 1 ? query : tf.mul(query, scale), attention);
    const products = tf
      .matMul(scaled, key, false, true)
      .reshape<tf.Tensor4D>([n, heads, positions, positions]);
    const weights = grouped(tf.softmax(tf.add(products, causalMask(positions, window))), attention);
    const output = tf.matMul(weights, value); // [N, K, H / K S, D]
    return {
      output: joinHeads(output.reshape([n, heads, positions, size])),
      saved: [scaled, key, value, weights, output],
    };
  },

  backward(outputGradients, saved, attention) {
    const [scaled, key, value, weights, output] = saved as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const { heads, scale } = attention;
    const [n, , positions, size] = key.shape;
    const dOutput = grouped(splitHeads(outputGradients, heads), attention);
    const dWeights = tf.matMul(dOutput, value, false, true); // [N, K, H / K S, S]
    const along = tf.sum(tf.mul(dOutput, output), -1, true); // [N, K, H / K S, 1]
    const dProducts = tf.mul(weights, tf.sub(dWeights, along));
    const dScaled = tf.matMul(dProducts, key).reshape<tf.Tensor4D>([n, heads, positions, size]);
    const dQuery = scale === 1 ? dScaled : tf.mul<tf.Tensor4D>(dScaled, scale);
    const dKey: tf.Tensor4D = tf.matMul(dProducts, scaled, true, false);
    return inputGradients([dQuery, dKey, tf.matMul(weights, dOutput, true, false)], attention);
  },
};

/** Heads of one key behind each other as if they were positions, so that one product serves them all: [N, K, H / K S, ..]. */
function grouped(x: tf.Tensor4D, { heads, keyHeads }: CausalAttention): tf.Tensor4D {
  const [n, , positions, last] = x.shape;
  return x.reshape([n, keyHeads, (heads / keyHeads) * positions, last]);
}

function headsOf(inputs: readonly tf.Tensor3D[], attention: CausalAttention): Heads {
  const { heads, keyHeads, frequencies, order } = attention;
  const [query, key, value] =
    order === null
      ? (inputs.map((x, i) => splitHeads(x, i === 0 ? heads : keyHeads)) as Heads)
      : splitQueryKeyValue(inputs[0] as tf.Tensor3D, heads, order);
  if (frequencies === null) return [query, key, value];
  const angles = rotaryAngles(frequencies, query.shape[2]);
  return [rotate(query, angles, 'forwards'), rotate(key, angles, 'forwards'), value];
}

/** The gradients of what {@link headsOf} was given. */
function inputGradients([query, key, value]: Heads, { frequencies, order }: CausalAttention): tf.Tensor3D[] {
  const gradients: Heads = [query, key, value];
  if (frequencies !== null) {
    const angles = rotaryAngles(frequencies, query.shape[2]);
    gradients[0] = rotate(query, angles, 'backwards');
    gradients[1] = rotate(key, angles, 'backwards');
  }
  return order === null ? gradients.map(joinHeads) : [joinQueryKeyValue(gradients, order)];
}

/** [S, S]: 0 where the row's position sees the column's. */
function causalMask(positions: number, window: number | null): tf.Tensor2D {
  const index = tf.range(0, positions, 1, 'float32');
  const back = tf.sub(index.expandDims(1), index.expandDims(0)); // how far the column lies before the row
  const later = tf.less(back, 0);
  const unseen = window === null ? later : tf.logicalOr(later, tf.greaterEqual(back, window));
  return tf.mul(tf.cast(unseen, 'float32'), UNSEEN);
}

/**
 * {@link plainAttention} by the addon's operations. A row's largest product and the sum of its exponentials are kept, from
 * which its weights are computed again. Dao et al., arXiv 2205.14135, appendix B.
 */
export function nativeAttention(backend: TensorFlowBackend): AttentionKernel {
  return {
    forward(inputs, attention) {
      const [query, key, value] = inputs as [tf.Tensor3D, tf.Tensor3D?, tf.Tensor3D?];
      const nothing = tf.zeros([0, 0]);
      const positions = query.shape[1];
      const angles =
        attention.frequencies === null ? nothing : rotaryAngles(attention.frequencies, positions);
      const given = [query, key ?? nothing, value ?? nothing, angles];
      const attributes = attributesOf(attention, backend);
      const [output, statistics] = backend.executeMultipleOutputs(
        'BergsonCausalAttention',
        attributes,
        given,
        2,
      ) as [tf.Tensor3D, tf.Tensor];
      return { output, saved: [...given, output, statistics] };
    },

    backward(outputGradients, saved, attention) {
      const attributes = attributesOf(attention, backend);
      const inputs = [...saved, outputGradients];
      const gradients = backend.executeMultipleOutputs(
        'BergsonCausalAttentionGradients',
        attributes,
        inputs,
        3,
      ) as tf.Tensor3D[];
      return attention.order === null ? gradients : gradients.slice(0, 1);
    },
  };
}

function attributesOf(
  { heads, keyHeads, scale, window, order }: CausalAttention,
  { binding }: TensorFlowBackend,
): OpAttribute[] {
  const sizes = [heads, keyHeads, window ?? 0, order === 'head by head' ? 1 : 0];
  return [
    { name: 'scale', type: binding.TF_ATTR_FLOAT, value: scale },
    { name: 'heads', type: binding.TF_ATTR_INT, value: sizes },
  ];
}
