import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { applyHostFixes } from '../../lib/host-fixes';
import { normalTensor, vectorJacobian, withoutLeaks } from '../support/derivatives';
import { describeOnEveryBackend } from './every-backend';

const REDUCTIONS = { sum: tf.sum, mean: tf.mean };

/** A shape, which axes to reduce, and whether they stay as 1. */
const reduction = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 4 }), fc.boolean()), { minLength: 1, maxLength: 5 })
  .map((axes) => ({
    shape: axes.map(([size]) => size),
    axes: axes.flatMap(([, reduced], axis) => (reduced ? [axis] : [])),
  }));

describeOnEveryBackend((undo) => {
  test.each(Object.entries(REDUCTIONS))(
    'the gradient of %s has the bits of the one tfjs computes',
    (_, reduce) => {
      fc.assert(
        fc.property(reduction, fc.boolean(), ({ shape, axes }, keepDims) => {
          withoutLeaks(() => {
            const x = normalTensor(shape, 1);
            const f = (t: tf.Tensor) => reduce(t, axes.length === 0 ? undefined : axes, keepDims);
            const gradient = vectorJacobian(f, normalTensor(f(x).shape, 2));
            const fixed = gradient(x);
            undo();
            const original = gradient(x);
            applyHostFixes();
            expect(fixed.shape).toEqual(shape);
            expect(fixed.dataSync()).toEqual(original.dataSync());
          });
        }),
        { numRuns: 20 },
      );
    },
  );

  test('of no numbers there are no gradients', () => {
    withoutLeaks(() => {
      const gradient = tf.grad((x: tf.Tensor) => tf.sum(tf.sum(x, 0)))(tf.zeros([0, 3]));
      expect(gradient.shape).toEqual([0, 3]);
    });
  });
});

test('the second derivative through both is that of the composed function', () => {
  const undo = applyHostFixes();
  withoutLeaks(() => {
    const x = tf.tensor2d([1, -2, 3, 4], [2, 2]);
    const cubes = (t: tf.Tensor) => tf.mean(tf.square(tf.sum(t.pow(3), 1))); // mean over rows of (a^3 + b^3)^2
    const second = tf.grad((t: tf.Tensor) => tf.sum(tf.grad(cubes)(t)))(x);
    const expected = [
      [1, -2],
      [3, 4],
    ].flatMap(([a = 0, b = 0]) => {
      // Of a, with the sum over all of the first gradient 3 (a^3 + b^3) (a^2 + b^2).
      const of = (p: number, q: number) => 9 * p ** 2 * (p ** 2 + q ** 2) + 6 * (p ** 3 + q ** 3) * p;
      return [of(a, b), of(b, a)];
    });
    second.dataSync().forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] ?? NaN, 2);
    });
  });
  undo();
});

test('no step of training makes ones in the memory of JavaScript', async () => {
  const undo = applyHostFixes();
  const model = tf.sequential({
    layers: [
      tf.layers.batchNormalization({ inputShape: [8, 8, 4] }),
      tf.layers.flatten(),
      tf.layers.dense({ units: 1 }),
    ],
  });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const [x, y] = [normalTensor([16, 8, 8, 4], 1), normalTensor([16, 1], 2)];
  const made: number[] = [];
  const engine = tf.engine();
  const makeTensor = engine.makeTensor.bind(engine);
  const spy = jest.spyOn(engine, 'makeTensor').mockImplementation((values, shape, ...rest) => {
    made.push(tf.util.sizeFromShape(shape));
    return makeTensor(values, shape, ...rest);
  });
  await model.trainOnBatch(x, y);
  spy.mockRestore();
  expect(Math.max(...made)).toBeLessThan(x.size);
  undo();
  model.optimizer.dispose();
  model.dispose();
  tf.dispose([x, y]);
});
