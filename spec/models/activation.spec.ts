import tf = require('@tensorflow/tfjs');
import { ACTIVATIONS, gated, type ActivationName } from '../../lib/models/layers/activation';
import {
  differenceQuotient,
  inner,
  normalTensor,
  vectorJacobian,
  withoutLeaks,
  type TensorFunction,
} from '../support/derivatives';

/** Relative gaps to central differences in float32. */
const DIFFERENCE = 2e-3;
const SECOND_DIFFERENCE = 5e-3;

const SHAPE = [2, 3, 7];

const NAMES = ['gelu', 'geluTanh', 'silu'] satisfies ActivationName[];

/** Each, and each as a gate, as a function of what is activated and of what is multiplied. */
const FUNCTIONS: [string, TensorFunction][] = NAMES.flatMap((name) => [
  [name, ACTIVATIONS[name]],
  [`${name} as a gate`, (x) => gated(name, x, normalTensor(SHAPE, 9))],
  [`factors of ${name}`, (factors) => gated(name, normalTensor(SHAPE, 9), tf.mul(factors, factors))],
]);

describe.each(FUNCTIONS)('%s', (_, f) => {
  it('has the gradient that central differences give', () => {
    withoutLeaks(() => {
      const [x, direction, weights] = [
        normalTensor(SHAPE, 1),
        normalTensor(SHAPE, 2),
        normalTensor(SHAPE, 3),
      ];
      const difference = differenceQuotient(f, x, direction, weights);
      const analytic = inner(vectorJacobian(f, weights)(x), direction);
      expect(Math.abs(analytic - difference)).toBeLessThan(DIFFERENCE * Math.max(1, Math.abs(difference)));
    });
  });

  it('has the second derivative that central differences of the gradient give', () => {
    withoutLeaks(() => {
      const [x, u, v] = [normalTensor(SHAPE, 1), normalTensor(SHAPE, 2), normalTensor(SHAPE, 3)];
      const gradient = vectorJacobian(f, normalTensor(SHAPE, 4));
      const analytic = inner(vectorJacobian(gradient, u)(x), v);
      const difference = differenceQuotient(gradient, x, v, u);
      expect(Math.abs(difference)).toBeGreaterThan(0.01); // the check is not vacuous
      expect(Math.abs(analytic - difference)).toBeLessThan(
        SECOND_DIFFERENCE * Math.max(1, Math.abs(difference)),
      );
    });
  });
});
