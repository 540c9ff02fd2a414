import tf = require('@tensorflow/tfjs');
import { standardize, type Standardization } from '../lib/standardize';
import { differenceQuotient, inner, normalTensor, vectorJacobian, withoutLeaks } from './support/derivatives';

/** Relative gap to central differences in float32. */
const DIFFERENCE = 2e-3;
const SECOND_DIFFERENCE = 5e-3;

const SHAPE = [2, 3, 8];

interface Case {
  readonly axes: number[];
  readonly centered: boolean;
}

/** Over the last axis, which native operations serve, and over others. */
const CASES: readonly Case[] = [
  { axes: [2], centered: true },
  { axes: [2], centered: false },
  { axes: [1], centered: true },
  { axes: [1, 2], centered: true },
];

test('every vector comes out with mean 0 and variance 1', () => {
  withoutLeaks(() => {
    const x = normalTensor(SHAPE, 1).mul(5).add(7);
    const { mean, variance } = tf.moments(standardize(x, { axes: [2], epsilon: 0, centered: true }), 2);
    expect(tf.max(tf.abs(mean)).arraySync()).toBeLessThan(1e-5);
    expect(tf.max(tf.abs(variance.sub(1))).arraySync()).toBeLessThan(1e-4);
  });
});

describe.each(CASES)('%j', ({ axes, centered }) => {
  const options: Standardization = { axes, centered, epsilon: 1e-3 };
  const weightShape = axes.map((axis) => SHAPE[axis] ?? 0);

  /** As a function of x, of the scale and of the shift, each with where it is differentiated. */
  function functions(): Record<'x' | 'scale' | 'shift', [(value: tf.Tensor) => tf.Tensor, tf.Tensor]> {
    const [x, scale, shift] = [
      normalTensor(SHAPE, 1),
      normalTensor(weightShape, 5),
      normalTensor(weightShape, 6),
    ];
    return {
      x: [(x) => standardize(x, { ...options, scale, shift }), x],
      scale: [(scale) => standardize(x, { ...options, scale, shift }), scale],
      shift: [(shift) => standardize(x, { ...options, scale, shift }), shift],
    };
  }

  test.each(['x', 'scale', 'shift'] as const)('the gradient of %s agrees with central differences', (of) => {
    withoutLeaks(() => {
      const [f, at] = functions()[of];
      const [direction, weights] = [normalTensor(at.shape, 2), normalTensor(SHAPE, 3)];
      const difference = differenceQuotient(f, at, direction, weights);
      const analytic = inner(vectorJacobian(f, weights)(at), direction);
      expect(Math.abs(analytic - difference)).toBeLessThan(DIFFERENCE * Math.max(1, Math.abs(difference)));
    });
  });

  test.each(['x', 'scale'] as const)(
    'the second derivative by %s agrees with central differences of the first',
    (of) => {
      withoutLeaks(() => {
        const {
          x: [, x],
          scale: [, scale],
          shift: [, shift],
        } = functions();
        const [u, v, weights] = [normalTensor(SHAPE, 2), normalTensor(SHAPE, 3), normalTensor(SHAPE, 4)];
        // The gradient of x, as a function of x or of the scale.
        const gradient = (value: tf.Tensor) => {
          const at = of === 'x' ? value : x;
          const by = of === 'x' ? scale : value;
          return vectorJacobian((x) => standardize(x, { ...options, scale: by, shift }), weights)(at);
        };
        const [at, direction] = of === 'x' ? [x, v] : [scale, normalTensor(weightShape, 3)];
        const analytic = inner(vectorJacobian(gradient, u)(at), direction);
        const difference = differenceQuotient(gradient, at, direction, u);
        expect(Math.abs(analytic - difference)).toBeLessThan(
          SECOND_DIFFERENCE * Math.max(1, Math.abs(difference)),
        );
      });
    },
  );
});
