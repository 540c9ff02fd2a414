import * as fc from 'fast-check';
import tf = require('@tensorflow/tfjs');
import { contractPositions } from '../../kernels/project';
import { DenseActivations, OneHotActivations } from '../../lib/layers/activations';
import type { Factors } from '../../lib/layers/factors';
import { squaredGradients, squaredSums } from '../../lib/normalizers/squared-gradients';
import { relativeError, ROUNDING } from '../support/closeness';

/** The definition: gradients formed, squared and added up. */
function formed(gradients: tf.Tensor3D) {
  const squares = gradients.square().sum<tf.Tensor2D>(0);
  return { rows: squares.sum(1), columns: squares.sum(0), elements: squares };
}

function expectSums(factors: readonly Factors[], gradients: tf.Tensor3D): void {
  const [, outputs, inputs] = gradients.shape;
  const expected = formed(gradients);
  const { rows, columns } = squaredSums(factors, [outputs, inputs]);
  const found = { rows, columns, elements: squaredGradients(factors, [outputs, inputs]) };
  for (const name of ['rows', 'columns', 'elements'] as const) {
    expect(found[name].shape).toEqual(expected[name].shape);
    expect(relativeError(found[name].dataSync(), expected[name].dataSync())).toBeLessThan(ROUNDING);
  }
}

function random(shape: [number, number, number], seed: number): tf.Tensor3D {
  return tf.randomNormal(shape, 0.1, 1, 'float32', seed);
}

/** [N, S, I] -> [N, S, I + 1]. */
function withOnes(x: tf.Tensor3D): tf.Tensor3D {
  return tf.concat3d([x, tf.ones([x.shape[0], x.shape[1], 1])], 2);
}

const sizes = (max: number) => fc.integer({ min: 1, max });

it('adds up squares without forming gradients, or by tiles of them, whichever is less work', () => {
  fc.assert(
    fc.property(fc.tuple(sizes(4), sizes(12), sizes(40), sizes(40)), fc.boolean(), ([n, s, i, o], bias) => {
      tf.tidy(() => {
        const [a, d] = [random([n, s, i], 1), random([n, s, o], 2)];
        const gradients = contractPositions(d, bias ? withOnes(a) : a);
        expectSums([{ activations: new DenseActivations(a), outputGradients: d }], gradients);
      });
    }),
    { numRuns: 40 },
  );
});

it('squares the sum over all calls of a layer, not each call by itself', () => {
  tf.tidy(() => {
    const calls = [3, 1, 9].map((s, k) => [random([2, s, 6], k), random([2, s, 70], 10 + k)] as const);
    const factors = calls.map(([a, d]) => ({ activations: new DenseActivations(a), outputGradients: d }));
    expectSums(factors, tf.addN(calls.map(([a, d]) => contractPositions(d, a))));
    const explicit = random([2, 70, 6], 30);
    expectSums(
      [...factors, { gradient: explicit }],
      tf.addN([explicit, ...calls.map(([a, d]) => contractPositions(d, a))]),
    );
  });
});

it('adds up what ids that come more than once in an example have got', () => {
  tf.tidy(() => {
    const calls = [7, 2].map((s, k) => {
      const ids = tf.randomUniform<tf.Rank.R2>([3, s], 0, 4, 'int32', k);
      return { activations: new OneHotActivations(ids, 5), outputGradients: random([3, s, 6], 20 + k) };
    });
    const gradients = calls.map(({ activations, outputGradients }) =>
      contractPositions(outputGradients, activations.materialize()),
    );
    expectSums(calls, tf.addN(gradients));
    expectSums(calls.slice(0, 1), gradients[0] as tf.Tensor3D);
  });
});

it('takes several blocks where one would be too large', () => {
  tf.tidy(() => {
    // 2,100 positions of two examples: blocks of inner products of one example, and of some positions of it, at a time.
    const [a, d] = [random([2, 2100, 3], 1), random([2, 2100, 2], 2)];
    expectSums([{ activations: new DenseActivations(a), outputGradients: d }], contractPositions(d, a));
    const ids = tf.randomUniform<tf.Rank.R2>([2, 2100], 0, 900, 'int32', 3);
    const activations = new OneHotActivations(ids, 900);
    expectSums([{ activations, outputGradients: d }], contractPositions(d, activations.materialize()));
  });
});

it('holds no gradient, nor anything as large as a weight, while it adds up a wide layer', () => {
  const [n, s, width] = [2, 4, 3000];
  const [a, d] = [random([n, s, width], 1), random([n, s, width], 2)];
  const largest = largestTensor(() => {
    tf.tidy(() => {
      squaredSums([{ activations: new DenseActivations(a), outputGradients: d }], [width, width]);
    });
  });
  expect(largest).toBeLessThanOrEqual(n * s * width);
  tf.dispose([a, d]);
});

/** The size of the largest tensor that `body` makes. */
function largestTensor(body: () => void): number {
  let largest = 0;
  const kernels = jest.spyOn(tf.engine(), 'runKernel');
  body();
  for (const { value } of kernels.mock.results) {
    for (const tensor of [value].flat() as tf.Tensor[]) largest = Math.max(largest, tensor.size);
  }
  kernels.mockRestore();
  return largest;
}
