import * as tf from '@tensorflow/tfjs';
import { standardize } from '../lib/standardize';
import { differenceQuotient, inner, normalTensor, vectorJacobian, withoutLeaks } from './support/derivatives';

/** Relative gap to central differences in float32. */
const DIFFERENCE = 2e-3;
const SECOND_DIFFERENCE = 5e-3;

const f = (x: tf.Tensor) => standardize(x, [2], 1e-3);
const SHAPE = [2, 3, 8];

test('every vector comes out with mean 0 and variance 1', () => {
  withoutLeaks(() => {
    const { mean, variance } = tf.moments(standardize(normalTensor(SHAPE, 1).mul(5).add(7), [2], 0), 2);
    expect(tf.max(tf.abs(mean)).arraySync()).toBeLessThan(1e-5);
    expect(tf.max(tf.abs(variance.sub(1))).arraySync()).toBeLessThan(1e-4);
  });
});

test('its gradient agrees with central differences', () => {
  withoutLeaks(() => {
    const [x, direction, weights] = [1, 2, 3].map((seed) => normalTensor(SHAPE, seed)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const difference = differenceQuotient(f, x, direction, weights);
    const analytic = inner(vectorJacobian(f, weights)(x), direction);
    expect(Math.abs(analytic - difference)).toBeLessThan(DIFFERENCE * Math.max(1, Math.abs(difference)));
  });
});

test('its second derivative agrees with central differences of the first', () => {
  withoutLeaks(() => {
    const [x, u, v, weights] = [1, 2, 3, 4].map((seed) => normalTensor(SHAPE, seed)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    const gradient = vectorJacobian(f, weights);
    const analytic = inner(vectorJacobian(gradient, u)(x), v);
    const difference = differenceQuotient(gradient, x, v, u);
    expect(Math.abs(analytic - difference)).toBeLessThan(
      SECOND_DIFFERENCE * Math.max(1, Math.abs(difference)),
    );
  });
});
