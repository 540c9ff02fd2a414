import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { applyHostFixes } from '../../lib/host-fixes';
import {
  differenceQuotient,
  inner,
  normalTensor,
  vectorJacobian,
  withoutLeaks,
} from '../support/derivatives';
import { describeOnEveryBackend } from './every-backend';

/** Rounding of float32 values near 1, over the difference step of 5e-3, for a few entries. */
const DIFFERENCE = 2e-3;

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 4 });

describeOnEveryBackend((undo) => {
  test('the gradient of Relu is the one tfjs computes, bit for bit', () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 1000 }), (shape, seed) => {
        withoutLeaks(() => {
          const x = tf.round(normalTensor(shape, seed)); // zeros are frequent
          const gradient = vectorJacobian(tf.relu, normalTensor(shape, seed + 1));
          const fixed = gradient(x).dataSync();
          undo();
          const original = gradient(x).dataSync();
          applyHostFixes();
          expect(Array.from(fixed, Math.abs)).toEqual(Array.from(original, Math.abs)); // -0 is 0
          expect(Array.from(fixed, (v) => v > 0)).toEqual(Array.from(original, (v) => v > 0));
        });
      }),
      { numRuns: 20 },
    );
  });

  test('the gradient of Relu agrees with central differences', () => {
    withoutLeaks(() => {
      const x = tf.tensor1d([-2, -0.5, 0.5, 1, 3]); // the kink is further away than the step
      const [direction, weights] = [normalTensor([5], 1), normalTensor([5], 2)];
      const analytic = inner(vectorJacobian(tf.relu, weights)(x), direction);
      const difference = differenceQuotient(tf.relu, x, direction, weights);
      expect(Math.abs(analytic - difference)).toBeLessThan(DIFFERENCE);
    });
  });

  test('the second derivative through Relu keeps the mask', () => {
    withoutLeaks(() => {
      const x = tf.tensor1d([-1, 2, -3, 4]);
      const cubes = (t: tf.Tensor) => tf.sum(tf.pow(tf.relu(t), 3)); // 6 x where x > 0
      const second = tf.grad((t: tf.Tensor) => tf.sum(tf.grad(cubes)(t)))(x);
      expect(Array.from(second.dataSync(), Math.round)).toEqual([0, 12, 0, 24]);
    });
  });
});
