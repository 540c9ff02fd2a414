/** Derivatives by central differences, to hold analytic ones against. Inner products are taken in float64. */
import tf = require('@tensorflow/tfjs');

export type TensorFunction = (x: tf.Tensor) => tf.Tensor;

/** Step of the differences: float32 rounding and the third derivative weigh about the same there. */
const STEP = 5e-3;

/** <a, b> over all entries. */
export function inner(a: tf.Tensor, b: tf.Tensor): number {
  const right = b.dataSync();
  return Array.from(a.dataSync()).reduce((sum, value, i) => sum + value * (right[i] ?? NaN), 0);
}

/** d/dt <f(x + t direction), weights> at t = 0, by central differences. */
export function differenceQuotient(
  f: TensorFunction,
  x: tf.Tensor,
  direction: tf.Tensor,
  weights: tf.Tensor,
): number {
  const at = (step: number) => tf.tidy(() => inner(f(tf.add(x, tf.mul(direction, step))), weights));
  return (at(STEP) - at(-STEP)) / (2 * STEP);
}

/** The gradient of <f(x), weights> with respect to x, as a function of x. */
export function vectorJacobian(f: TensorFunction, weights: tf.Tensor): TensorFunction {
  return tf.grad((x: tf.Tensor) => tf.sum(tf.mul(f(x), weights)));
}

/** Seeded normal entries. The caller disposes it. */
export function normalTensor(shape: number[], seed: number): tf.Tensor {
  return tf.randomNormal(shape, 0, 1, 'float32', seed);
}

/** Runs `body` in a tidy and fails if a tensor outlives it. */
export function withoutLeaks(body: () => void): void {
  const before = tf.memory().numTensors;
  tf.tidy(body);
  expect(tf.memory().numTensors).toBe(before);
}
