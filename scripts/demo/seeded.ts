/** Numbers that look random and are the same on every run and backend. */
import tf = require('@tensorflow/tfjs');

/** `count` uniform numbers in [0, 1). */
export function seededUniform(count: number, seed: number): Float32Array {
  return tf.tidy(() => tf.randomUniform([count], 0, 1, 'float32', seed).dataSync<'float32'>());
}

/** The numbers from 0 to `count` - 1 in an order fixed by `seed`. */
export function seededOrder(count: number, seed: number): number[] {
  const keys = seededUniform(count, seed);
  return Array.from(keys, (_, i) => i).sort((a, b) => (keys[a] ?? 0) - (keys[b] ?? 0));
}
