import tf = require('@tensorflow/tfjs');
import { loadBackend } from '../lib/backend';
import { sparseCrossEntropy } from '../lib/losses';
import { differenceQuotient, inner, normalTensor, vectorJacobian, withoutLeaks } from './support/derivatives';

/** Gaps to a float64 computation, and relative ones to central differences in float32. */
const ROUNDING = 1e-5;
const DIFFERENCE = 2e-3;
const SECOND_DIFFERENCE = 5e-3;

const SHAPE = [2, 3, 5];
const LABELS = [
  [0, 4, 2],
  [1, 1, 3],
];
const f = (logits: tf.Tensor) => sparseCrossEntropy(tf.tensor2d(LABELS), logits);

/** -log softmax(logits)[label] in float64. */
function reference(logits: number[], label: number): number {
  return Math.log(logits.reduce((sum, value) => sum + Math.exp(value), 0)) - (logits[label] ?? NaN);
}

describe.each(['best', 'wasm', 'cpu'])('sparse cross-entropy on the %s backend', (backend) => {
  beforeAll(async () => {
    if (backend !== 'best') await loadBackend(backend);
  });

  test('is the negative log-probability of each label', () => {
    withoutLeaks(() => {
      const logits = normalTensor(SHAPE, 1) as tf.Tensor3D;
      const expected = logits
        .arraySync()
        .flatMap((rows, n) => rows.map((row, s) => reference(row, LABELS[n]?.[s] ?? NaN)));
      const losses = f(logits);
      expect(losses.shape).toEqual([2, 3]);
      losses.dataSync().forEach((loss, i) => {
        expect(Math.abs(loss - (expected[i] ?? NaN))).toBeLessThan(ROUNDING);
      });
    });
  });

  test('stays finite where a probability underflows', () => {
    withoutLeaks(() => {
      const losses = sparseCrossEntropy(tf.tensor1d([1], 'int32'), tf.tensor2d([[200, -200]]));
      expect(losses.dataSync()[0]).toBe(400);
    });
  });

  test('has the gradient that central differences give', () => {
    withoutLeaks(() => {
      const [logits, direction] = [normalTensor(SHAPE, 1), normalTensor(SHAPE, 2)];
      const weights = normalTensor([2, 3], 3);
      const difference = differenceQuotient(f, logits, direction, weights);
      const analytic = inner(vectorJacobian(f, weights)(logits), direction);
      expect(Math.abs(analytic - difference)).toBeLessThan(DIFFERENCE * Math.max(1, Math.abs(difference)));
    });
  });

  test('has the second derivative that central differences of the gradient give', () => {
    withoutLeaks(() => {
      const [logits, u, v] = [normalTensor(SHAPE, 1), normalTensor(SHAPE, 2), normalTensor(SHAPE, 3)];
      const gradient = vectorJacobian(f, normalTensor([2, 3], 4));
      const analytic = inner(vectorJacobian(gradient, u)(logits), v);
      const difference = differenceQuotient(gradient, logits, v, u);
      expect(Math.abs(difference)).toBeGreaterThan(0.01); // the check is not vacuous
      expect(Math.abs(analytic - difference)).toBeLessThan(
        SECOND_DIFFERENCE * Math.max(1, Math.abs(difference)),
      );
    });
  });
});
