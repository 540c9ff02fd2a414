import tf = require('@tensorflow/tfjs');
import { GradientCollector } from '../../callbacks';
import { relativeError, ROUNDING } from '../support/closeness';

/** Far from zero, where sums of products and products of sums no longer agree in float32. */
const FAR = 50;

// In training no example can be run alone. The oracle gives each example a gamma and a beta of its own instead.
it.each([
  ['vectors', [5], 0],
  ['images', [4, 3, 5], 0],
  ['images far from zero', [4, 3, 5], FAR],
])('gives each example what it contributes by its own outputs: %s', (_, shape, mean) => {
  const [examples, channels] = [6, 5];
  const xs = tf.randomNormal([examples, ...shape], mean, 1, 'float32', 3);
  const layer = tf.layers.batchNormalization({ inputShape: shape, epsilon: 0.01 });
  const model = tf.sequential({ layers: [layer] });
  const [gamma, beta] = [1, 2].map((seed) => tf.randomNormal([channels], 1, 0.5, 'float32', seed)) as [
    tf.Tensor,
    tf.Tensor,
  ];
  layer.setWeights([gamma, beta, tf.zeros([channels]), tf.ones([channels])]);
  const weights = tf.randomNormal([examples, ...shape], 0, 1, 'float32', 4);
  const loss = (y: tf.Tensor) => y.tanh().mul(weights).mean<tf.Scalar>();

  const collector = new GradientCollector(model, { projectionDim: 'exact', lossReduction: 'sum' });
  const { gradients } = collector.run(() => loss(model.apply(xs, { training: true }) as tf.Tensor));
  const found =
    gradients
      .get(layer.name)
      ?.arraySync()
      .map((gradient) => gradient.flat()) ?? [];

  const axes = shape.map((_, axis) => axis);
  const { mean: center, variance } = tf.moments(xs, axes);
  const normalized = xs.sub(center).div(variance.add(0.01).sqrt());
  const own = (vector: tf.Tensor) =>
    tf.tile(vector.reshape([1, ...axes.slice(1).map(() => 1), channels]), [examples, ...shape.map(() => 1)]);
  const contributions = tf.grads((gammas, betas) => loss(normalized.mul(gammas).add(betas)))([
    own(gamma),
    own(beta),
  ]);
  const expected = tf
    .concat2d(
      contributions.map((gradient) => gradient.reshape<tf.Tensor2D>([examples, channels])),
      1,
    )
    .arraySync();
  expect(relativeError(found.flat(), expected.flat())).toBeLessThan(ROUNDING);
});
