import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { AdamNormalizer, GradientCollector } from '../../callbacks';
import type { FixedNormalizer } from '../../lib/normalizers/fixed';
import { openNormalizer, saveNormalizer } from '../../lib/normalizers/stored';
import { relativeError } from '../support/closeness';
import { temporaryDirectory } from '../support/temporary-directory';

/** Moments are float32 sums of squares; tfjs updates them in float32, the recurrence here is in float64. */
const FLOAT32_SUMS = 1e-5;

const BETA2 = 0.99;
const directory = temporaryDirectory();

function denseModel(): tf.Sequential {
  return tf.sequential({ layers: [tf.layers.dense({ units: 2, inputShape: [3], name: 'dense' })] });
}

/** A loss whose gradient by every weight is `factor` times the weight's own constant. */
function linearLoss(model: tf.LayersModel, factor: number): tf.Scalar {
  const terms = model.trainableWeights.map((weight, i) => {
    const values = weight.read();
    return values
      .mul(tf.range(1, values.size + 1).reshape(values.shape))
      .mul(factor * (i + 1))
      .sum();
  });
  return tf.addN<tf.Scalar>(terms as tf.Scalar[]);
}

it.each([1, 2, 50])('reads v̂ as Adam defines it after %i steps', (steps) => {
  const model = denseModel();
  const optimizer = tf.train.adam(0.01, 0.9, BETA2);
  let v = 0;
  for (let step = 1; step <= steps; step++) {
    const factor = Math.sin(step) + 0.2;
    v = BETA2 * v + (1 - BETA2) * factor ** 2;
    optimizer.minimize(() => linearLoss(model, factor));
  }
  const corrected = v / (1 - BETA2 ** steps);
  const { parts } = new GradientCollector(model);
  const found = tf.tidy(() => new AdamNormalizer(optimizer).secondMoments(parts[0]!).arraySync());
  // The kernel [3, 2] has constants 1 to 6, the bias 2 and 4; laid out as [outputs, inputs and bias].
  const expected = [
    [1, 3, 5, 2],
    [2, 4, 6, 4],
  ].map((row) => row.map((constant) => constant ** 2 * corrected));
  expect(relativeError(found.flat(), expected.flat())).toBeLessThan(FLOAT32_SUMS);
});

it('is the same when saved and read back', () => {
  const model = denseModel();
  const optimizer = tf.train.adam(0.01);
  optimizer.minimize(() => linearLoss(model, 0.7));
  const { parts } = new GradientCollector(model);
  const normalizer = new AdamNormalizer(optimizer);
  const file = path.join(directory, 'normalizer.safetensors');
  saveNormalizer(file, normalizer, parts);
  const stored = openNormalizer(file) as FixedNormalizer;
  expect(stored.epsilon).toBe(normalizer.epsilon);
  const [found, expected] = tf.tidy(() => [stored, normalizer].map((each) => each.secondMoments(parts[0]!)));
  expect(found!.arraySync()).toEqual(expected!.arraySync());
  stored.dispose();
});

it('refuses an optimizer that has not taken a step', () => {
  const model = denseModel();
  const { parts } = new GradientCollector(model);
  const normalizer = new AdamNormalizer(tf.train.adam());
  expect(() => normalizer.secondMoments(parts[0]!)).toThrow(/holds no second moments of weight/);
});
