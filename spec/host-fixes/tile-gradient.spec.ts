import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { applyHostFixes } from '../../lib/host-fixes';
import { inner, normalTensor, vectorJacobian, withoutLeaks } from '../support/derivatives';
import { describeOnEveryBackend } from './every-backend';

/** Both sum the same few numbers, in another order. */
const ROUNDING = 1e-5;

const shapeAndRepetitions = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })), {
    minLength: 1,
    maxLength: 4,
  })
  .map((axes) => ({ shape: axes.map(([size]) => size), reps: axes.map(([, repeat]) => repeat) }));

describeOnEveryBackend((undo) => {
  test('the gradient of Tile is the one tfjs computes', () => {
    fc.assert(
      fc.property(shapeAndRepetitions, ({ shape, reps }) => {
        withoutLeaks(() => {
          const x = normalTensor(shape, 1);
          const weights = normalTensor(
            shape.map((size, i) => size * (reps[i] ?? 1)),
            2,
          );
          const gradient = vectorJacobian((t) => tf.tile(t, reps), weights);
          const fixed = gradient(x);
          undo();
          const original = gradient(x);
          applyHostFixes();
          expect(fixed.shape).toEqual(shape);
          expect(tf.max(tf.abs(tf.sub(fixed, original))).arraySync()).toBeLessThan(ROUNDING);
        });
      }),
      { numRuns: 20 },
    );
  });

  test('Tile and its gradient are adjoint at rank 5, where tfjs has no gradient', () => {
    withoutLeaks(() => {
      const [shape, reps] = [
        [2, 1, 3, 2, 1],
        [1, 2, 2, 1, 3],
      ];
      const tile = (t: tf.Tensor) => tf.tile(t.reshape(shape), reps);
      const x = normalTensor(shape, 3);
      const weights = normalTensor([2, 2, 6, 2, 3], 4);
      // Linear, so <tile(x), w> = <x, gradient(w)> exactly.
      const gap = inner(tile(x), weights) - inner(x, vectorJacobian(tile, weights)(x));
      expect(Math.abs(gap)).toBeLessThan(ROUNDING * weights.size);
    });
  });
});

test('the second derivative through Tile is that of the composed function', () => {
  const undo = applyHostFixes();
  withoutLeaks(() => {
    const x = tf.tensor1d([1, -2, 3]);
    const cubes = (t: tf.Tensor) => tf.sum(tf.pow(tf.tile(t, [4]), 3)); // 4 sum x^3
    const second = tf.grad((t: tf.Tensor) => tf.sum(tf.grad(cubes)(t)))(x); // 24 x
    expect(Array.from(second.dataSync())).toEqual([24, -48, 72]);
  });
  undo();
});
