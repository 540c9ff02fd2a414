import tf = require('@tensorflow/tfjs');
import fc from 'fast-check';
import { applyHostFixes } from '../../lib/host-fixes';
import { loadBackend } from '../../lib/backend';
import { normalTensor, withoutLeaks } from '../support/derivatives';

/** Largest gap relative to the largest entry: a dozen float32 operations in another order. */
const ROUNDING = 2e-5;

const cases = fc
  .record({
    shape: fc.array(fc.integer({ min: 2, max: 5 }), { minLength: 2, maxLength: 4 }),
    lastAxes: fc.integer({ min: 1, max: 3 }),
    seed: fc.integer({ min: 0, max: 1000 }),
  })
  .map(({ lastAxes, ...rest }) => {
    const rank = rest.shape.length;
    const axes = Array.from({ length: Math.min(lastAxes, rank - 1) }, (_, i) => rank - 1 - i).reverse();
    return { ...rest, axes };
  });

/** A built layer whose weights are random. */
function layerNormalization(
  shape: number[],
  axis: number[],
  parts: { center?: boolean; scale?: boolean },
  seed: number,
): tf.layers.Layer {
  const layer = tf.layers.layerNormalization({ axis, epsilon: 1e-3, ...parts });
  layer.build(shape);
  layer.setWeights(layer.weights.map((w, i) => normalTensor(w.shape as number[], seed + 2 + i)));
  return layer;
}

/** `layer.dispose` refuses a layer that is in no model. */
function disposeWeights(layer: tf.layers.Layer): void {
  tf.dispose(layer.weights.map((weight) => weight.read()));
}

function expectClose(found: tf.Tensor, expected: tf.Tensor): void {
  expect(found.shape).toEqual(expected.shape);
  const gap = tf.max(tf.abs(tf.sub(found, expected))).arraySync() as number;
  const size = tf.max(tf.abs(expected)).arraySync() as number;
  expect(gap).toBeLessThan(ROUNDING * Math.max(1, size));
}

/** Output, then the gradients of input and weights, of one layer. */
function outputAndGradients(layer: tf.layers.Layer, x: tf.Tensor, seed: number): tf.Tensor[] {
  const dy = normalTensor(x.shape, seed + 1);
  const weights = layer.trainableWeights.map((weight) => weight.read());
  const loss = (input: tf.Tensor) => tf.sum(tf.mul(layer.call(input, {}) as tf.Tensor, dy));
  // The layer reads its weights itself; given as arguments, they are differentiated too.
  return [layer.call(x, {}) as tf.Tensor, ...tf.grads(loss)([x, ...weights])];
}

describe.each(['best', 'wasm', 'cpu'])('on the %s backend', (backend) => {
  beforeAll(async () => {
    if (backend !== 'best') await loadBackend(backend);
  });

  test('LayerNormalization and its gradients are what tfjs computes', () => {
    fc.assert(
      fc.property(cases, ({ shape, axes, seed }) => {
        withoutLeaks(() => {
          const x = normalTensor(shape, seed);
          const original = layerNormalization(shape, axes, {}, seed);
          const expected = outputAndGradients(original, x, seed);
          const undo = applyHostFixes();
          const found = outputAndGradients(original, x, seed);
          undo();
          found.forEach((tensor, i) => {
            expectClose(tensor, expected[i] as tf.Tensor);
          });
          disposeWeights(original);
        });
      }),
      { numRuns: 15 },
    );
  });

  // tfjs's own layer cannot be trained without gamma: its gradient asks for the tensor that is missing.
  test('a layer without gamma or beta is one whose gamma is 1 or beta 0', () => {
    const undo = applyHostFixes();
    withoutLeaks(() => {
      const [shape, axes] = [[3, 4, 5], [2]];
      const x = normalTensor(shape, 1);
      const full = layerNormalization(shape, axes, {}, 1);
      full.setWeights([tf.ones([5]), tf.zeros([5])]);
      const expected = outputAndGradients(full, x, 1);
      for (const parts of [{ center: false }, { scale: false }, { center: false, scale: false }]) {
        const layer = layerNormalization(shape, axes, parts, 1);
        layer.setWeights(layer.weights.map((w) => (w.name.includes('gamma') ? tf.ones([5]) : tf.zeros([5]))));
        const [output, dx] = outputAndGradients(layer, x, 1) as [tf.Tensor, tf.Tensor];
        expectClose(output, expected[0] as tf.Tensor);
        expectClose(dx, expected[1] as tf.Tensor);
        disposeWeights(layer);
      }
      disposeWeights(full);
    });
    undo();
  });
});
