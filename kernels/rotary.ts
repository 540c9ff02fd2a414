/** Rotary position embeddings in plain tfjs operations. Su et al., RoFormer, arXiv 2104.09864, section 3.2.2. */
import tf = require('@tensorflow/tfjs');

interface Angles {
  readonly key: string;
  /** [2, S, R / 2]. */
  readonly values: Float32Array;
}

/** All layers of a model ask for the same. */
let latest: Angles | undefined;

/**
 * Cosines, then sines, of the angle of each position's pair of channels: position times frequency, in radians, rounded to float32
 * where the reference implementation rounds.
 *
 * @returns float32 [2, positions, frequencies]; the caller disposes it.
 */
export function rotaryAngles(frequencies: readonly number[], positions: number): tf.Tensor3D {
  const pairs = frequencies.length;
  const key = [positions, ...frequencies].join();
  if (latest?.key !== key) {
    const values = new Float32Array(2 * positions * pairs);
    for (let position = 0; position < positions; position++) {
      frequencies.forEach((frequency, i) => {
        const angle = Math.fround(position * Math.fround(frequency));
        values[position * pairs + i] = Math.cos(angle);
        values[(positions + position) * pairs + i] = Math.sin(angle);
      });
    }
    latest = { key, values };
  }
  return tf.tensor3d(latest.values, [2, positions, pairs]);
}

/**
 * Turns channels i and i + R / 2 of each position by their angle, or back by it, which is the gradient; channels from R on
 * stay as they are. Runs inside the caller's `tf.tidy`.
 *
 * @param x float32 [N, H, S, D].
 * @param angles as {@link rotaryAngles} gives them, R at most D.
 * @returns float32 [N, H, S, D].
 */
export function rotate(
  x: tf.Tensor4D,
  angles: tf.Tensor3D,
  direction: 'forwards' | 'backwards',
): tf.Tensor4D {
  const pairs = angles.shape[2];
  const [first, second, rest] = tf.split(x, [pairs, pairs, x.shape[3] - 2 * pairs], 3) as [
    tf.Tensor4D,
    tf.Tensor4D,
    tf.Tensor4D,
  ];
  const [cosine, sine] = tf.unstack(angles) as [tf.Tensor2D, tf.Tensor2D]; // [S, R / 2]
  const across = direction === 'forwards' ? sine : tf.neg(sine);
  const turnedFirst = tf.sub(tf.mul(first, cosine), tf.mul(second, across));
  const turnedSecond = tf.add(tf.mul(second, cosine), tf.mul(first, across));
  return tf.concat([turnedFirst, turnedSecond, rest] as tf.Tensor4D[], 3);
}
