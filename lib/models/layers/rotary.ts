/** Rotary position embeddings. Su et al., RoFormer, arXiv 2104.09864, section 3.2.2. */
import * as tf from '@tensorflow/tfjs';

/**
 * Turns channels i and i + R / 2 of each position s by the angle s times `frequencies[i]`, R being twice as many channels
 * as there are frequencies; channels from R on stay as they are. The gradient is the same turn backwards.
 *
 * @param x float32 [N, H, S, D].
 * @returns float32 [N, H, S, D]; the caller disposes it.
 */
export function rotate(x: tf.Tensor4D, frequencies: readonly number[]): tf.Tensor4D {
  const { cosines, sines } = anglesOf(frequencies, x.shape[2], x.shape[3]);
  const half = frequencies.length;
  const turn = (x: tf.Tensor4D, direction: 1 | -1) =>
    tf.tidy(() => {
      const [cosine, sine] = [cosines, sines].map((table) => tf.tensor2d(table, [x.shape[2], x.shape[3]]));
      const [first, second, rest] = tf.split(x, [half, half, x.shape[3] - 2 * half], 3);
      const exchanged = tf.concat([second, first, rest] as tf.Tensor4D[], 3);
      const across = tf.mul(exchanged, sine as tf.Tensor);
      const along = tf.mul(x, cosine as tf.Tensor);
      return direction === 1 ? tf.add(along, across) : tf.sub(along, across);
    });
  return tf.customGrad((x) => ({
    value: turn(x as tf.Tensor4D, 1),
    gradFunc: (dy: tf.Tensor) => turn(dy as tf.Tensor4D, -1),
  }))(x) as tf.Tensor4D;
}

interface Angles {
  readonly key: string;
  /** [S, D]; of channels that are not turned 1. */
  readonly cosines: Float32Array;
  /** [S, D], negative in the first channels of pairs; of channels that are not turned 0. */
  readonly sines: Float32Array;
}

/** All layers of a model ask for the same. */
let latest: Angles | undefined;

/** Rounded to float32 where the reference implementation rounds: at the angle, in radians. */
function anglesOf(frequencies: readonly number[], positions: number, channels: number): Angles {
  const key = [positions, channels, ...frequencies].join();
  if (latest?.key === key) return latest;
  const cosines = new Float32Array(positions * channels).fill(1);
  const sines = new Float32Array(positions * channels);
  const half = frequencies.length;
  for (let position = 0; position < positions; position++) {
    frequencies.forEach((frequency, i) => {
      const angle = Math.fround(position * Math.fround(frequency));
      const first = position * channels + i;
      cosines[first] = cosines[first + half] = Math.cos(angle);
      sines[first] = -Math.sin(angle);
      sines[first + half] = Math.sin(angle);
    });
  }
  latest = { key, cosines, sines };
  return latest;
}
