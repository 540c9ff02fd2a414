import { createHash } from 'node:crypto';
import { drawBergsonMatrix } from '../kernels/bergson-matrix';
import { drawColumns } from '../kernels/random-matrix';
import { layerProjection, projectedShape, resolveProjection } from '../lib/projection';

const OPTIONS = resolveProjection({ projectionDim: 4, seed: 3 });

it('draws both sides of a layer from its path as docs/format.md says', () => {
  const digest = createHash('sha256').update('encoder.dense').digest();
  const stream = [digest.readUInt32LE(0), digest.readUInt32LE(4)] as const;
  const { left, right } = layerProjection({ path: 'encoder.dense', gradientShape: [9, 12] }, OPTIONS);
  const columns = (count: number) => Array.from({ length: count }, (_, column) => column);
  const key = { type: 'rademacher', seed: 3, stream } as const;
  expect(left.transposed().dataSync()).toEqual(drawColumns({ ...key, side: 0 }, 4, columns(9)));
  expect(right.transposed().dataSync()).toEqual(drawColumns({ ...key, side: 1 }, 4, columns(12)));
  left.dispose();
  right.dispose();
});

it('draws the same columns for an input whether or not a bias follows', () => {
  const right = (inputs: number) =>
    layerProjection({ path: 'dense', gradientShape: [9, inputs] }, OPTIONS).right;
  const [without, withBias] = [right(12), right(13)];
  expect(withBias.transposedPart(0, 12).dataSync()).toEqual(without.transposed().dataSync());
  without.dispose();
  withBias.dispose();
});

it.each([
  [[9, 12], 4, [4, 4]],
  [[3, 12], 4, [3, 4]],
  [[9, 2], 4, [4, 2]],
  [[9, 1], 4, [9, 1]],
  [[40, 1], 4, [16, 1]],
  [[9, 12], 'exact', [9, 12]],
] as const)('a gradient %j at projectionDim %p is stored as %j', (shape, projectionDim, stored) => {
  expect(projectedShape(shape, { ...OPTIONS, projectionDim })).toEqual(stored);
});

it('projects both sides of a matrix with Bergson’s matrices, however small, and a vector on its one side', () => {
  const options = resolveProjection({ projectionDim: 4, projectionType: 'bergson' });
  const { left, right } = layerProjection({ path: 'dense', gradientShape: [3, 4] }, options);
  expect([left.rows, right.rows, left.isIdentity, right.isIdentity]).toEqual([4, 4, false, false]);
  const drawn = drawBergsonMatrix({ type: 'bergson', name: 'dense/right' }, 4, 4);
  expect(right.transposed().dataSync()).toEqual(drawn);
  const vector = layerProjection({ path: 'norm', gradientShape: [20, 1] }, options);
  expect([vector.left.rows, vector.left.isIdentity, vector.right.isIdentity]).toEqual([16, false, true]);
  const short = layerProjection({ path: 'norm', gradientShape: [16, 1] }, options);
  expect([short.left.rows, short.left.isIdentity]).toEqual([16, true]);
  const exact = resolveProjection({ projectionDim: 'exact', projectionType: 'bergson' });
  expect(layerProjection({ path: 'dense', gradientShape: [3, 4] }, exact).left.isIdentity).toBe(true);
  for (const matrix of [left, right]) matrix.dispose();
});

it('has no seed for Bergson’s matrices', () => {
  expect(() => resolveProjection({ projectionType: 'bergson', seed: 3 })).toThrow(/`seed` is 3/);
});

it('draws every side where all layers share one projection, so that none adds to another', () => {
  const options = resolveProjection({ projectionDim: 4, projectionTarget: 'global' });
  const [one, other] = ['one', 'other'].map((path) =>
    layerProjection({ path, gradientShape: [4, 4] }, options),
  );
  for (const side of ['left', 'right'] as const) {
    expect([one?.[side].isIdentity, other?.[side].isIdentity]).toEqual([false, false]);
    expect(one?.[side].transposed().dataSync()).not.toEqual(other?.[side].transposed().dataSync());
  }
  const vector = layerProjection({ path: 'vector', gradientShape: [16, 1] }, options);
  expect([vector.left.isIdentity, vector.right.isIdentity]).toEqual([false, true]);
  expect(projectedShape([2, 9], options)).toEqual([4, 4]);
  expect(projectedShape([3, 1], options)).toEqual([16, 1]);
  for (const matrix of [one?.left, one?.right, other?.left, other?.right]) matrix?.dispose();
});
