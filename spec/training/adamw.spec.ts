import tf = require('@tensorflow/tfjs');
import { AdamNormalizer } from '../../callbacks';
import { AdamW } from '../../lib/training/adamw';

const RATES = [0.1, 0.05, 0.2, 0.01];
const DECAY = 0.3;

/** The gradient of the loss below. */
const gradientOf = (value: number, step: number) => 2 * (value - 1) * (step + 1);

/** Algorithm 2 in double precision, for one weight. */
function expected(start: number, decay: number, steps: number): number {
  let [value, m, v] = [start, 0, 0];
  for (let step = 0; step < steps; step++) {
    const rate = RATES[step] ?? 0;
    const gradient = gradientOf(value, step);
    m = 0.9 * m + 0.1 * gradient;
    v = 0.99 * v + 0.01 * gradient ** 2;
    const update = m / (1 - 0.9 ** (step + 1)) / (Math.sqrt(v / (1 - 0.99 ** (step + 1))) + 1e-8);
    value -= rate * (update + decay * value);
  }
  return value;
}

it.each([1, 2, 4])('has the weights of the algorithm after %i steps, and decays matrices alone', (steps) => {
  const before = tf.memory().numTensors;
  const start = tf.tensor1d([3, -2]);
  const matrix = tf.tidy(() => tf.variable(start.reshape<tf.Tensor2D>([1, 2])));
  const bias = tf.tidy(() => tf.variable(start));
  const optimizer = new AdamW({
    learningRate: (step) => RATES[step] ?? 0,
    weightDecay: DECAY,
    beta2: 0.99,
  });
  for (let step = 0; step < steps; step++) {
    const loss = () =>
      tf.addN([matrix.sub(1).square().sum(), bias.sub(1).square().sum()]).mul<tf.Scalar>(step + 1);
    optimizer.minimize(loss, false, [matrix, bias]);
    expect((optimizer as unknown as { learningRate: number }).learningRate).toBe(RATES[step]);
  }
  // A few float32 roundings of numbers of at most 3.
  [3, -2].forEach((start, i) => {
    expect(matrix.dataSync()[i]).toBeCloseTo(expected(start, DECAY, steps), 5);
    expect(bias.dataSync()[i]).toBeCloseTo(expected(start, 0, steps), 5);
  });
  expect(() => new AdamNormalizer(optimizer)).not.toThrow();
  optimizer.dispose();
  tf.dispose([start, matrix, bias]);
  expect(tf.memory().numTensors).toBe(before);
});
