/** Random tensors for specs, from a seed, without the tens of milliseconds that tfjs takes for a hundred thousand. */
import tf = require('@tensorflow/tfjs');

/** Standard normal numbers (Box and Muller's, of a linear congruential generator). */
export function normalNumbers(count: number, seed: number): Float32Array {
  let state = Math.imul(seed, 2654435761) + 12345;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++)
    numbers[i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
  return numbers;
}

/** The same as a tensor. */
export function randomNormal<R extends tf.Rank = tf.Rank>(shape: tf.ShapeMap[R], seed: number): tf.Tensor<R> {
  return tf.tensor<R>(normalNumbers(tf.util.sizeFromShape(shape), seed), shape);
}
