import * as fc from 'fast-check';
import { ProjectionMatrix } from '../../kernels/projection-matrix';
import { drawColumns, type ProjectionType, type RandomMatrixKey } from '../../kernels/random-matrix';
import { philox4x32 } from '../../kernels/philox';
import tf = require('@tensorflow/tfjs');

const TYPES: readonly ProjectionType[] = ['rademacher', 'normal'];

function key(type: ProjectionType, seed = 1, side: 0 | 1 = 0): RandomMatrixKey {
  return { type, seed, side, stream: [7, 9] };
}

function columns(length: number): number[] {
  return Array.from({ length }, (_, column) => column);
}

it('takes signs from the documented word and bit', () => {
  const [rows, column] = [40, 6];
  const drawn = drawColumns(key('rademacher', 5, 1), rows, [column]);
  const words = new Uint32Array(4);
  for (let row = 0; row < rows; row++) {
    philox4x32(Math.floor(column / 4), Math.floor(row / 32), 7, 1, 5, 9, words);
    const bit = (words[column % 4]! >>> (row % 32)) & 1;
    expect(drawn[row]).toBeCloseTo((bit === 1 ? 1 : -1) / Math.sqrt(rows), 6);
  }
});

it.each(TYPES)('%s entries do not depend on how many rows or which other columns are drawn', (type) => {
  fc.assert(
    fc.property(
      fc.nat(200),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: 1, max: 70 }),
      (column, few, extra) => {
        const alone = drawColumns(key(type), few, [column]);
        const among = drawColumns(key(type), few + extra, [column + 1, column]).subarray(few + extra);
        alone.forEach((value, row) => {
          expect(value * Math.sqrt(few)).toBeCloseTo(among[row]! * Math.sqrt(few + extra), 5);
        });
      },
    ),
  );
});

it.each(TYPES)('%s projections keep inner products in expectation (Johnson and Lindenstrauss)', (type) => {
  // Over 400 seeds the mean of <Rx, Ry> has standard error below sqrt(2 / rows / 400) |x| |y|; four of those pass.
  const [rows, width, seeds] = [8, 30, 400];
  const x = Float64Array.from(columns(width), (i) => Math.sin(i + 1));
  const y = Float64Array.from(columns(width), (i) => Math.cos(2 * i));
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) =>
    Array.from(a).reduce((sum, value, i) => sum + value * b[i]!, 0);
  let total = 0;
  for (let seed = 0; seed < seeds; seed++) {
    const matrix = drawColumns(key(type, seed), rows, columns(width));
    const project = (vector: Float64Array) =>
      columns(rows).map((row) =>
        vector.reduce((sum, value, column) => sum + value * matrix[column * rows + row]!, 0),
      );
    total += dot(project(x), project(y));
  }
  const error = Math.sqrt((2 / rows / seeds) * dot(x, x) * dot(y, y));
  expect(Math.abs(total / seeds - dot(x, y))).toBeLessThan(4 * error);
});

it.each(TYPES)('%s matrices of another seed, side or layer are unrelated', (type) => {
  const base = drawColumns(key(type), 16, columns(400));
  const others = [key(type, 2), key(type, 1, 1), { ...key(type), stream: [8, 9] as const }];
  for (const other of others) {
    const drawn = drawColumns(other, 16, columns(400));
    const correlation = base.reduce((sum, value, i) => sum + value * drawn[i]!, 0) / 400;
    expect(Math.abs(correlation)).toBeLessThan(4 / Math.sqrt(6400)); // four standard errors of 6,400 products
  }
});

it('gathers the columns of ids without drawing the others', () => {
  const matrix = new ProjectionMatrix(key('rademacher'), 8, 1_000_000_000);
  const gathered = matrix.gather(tf.tensor1d([999_999_999, 3, 3], 'int32'));
  expect(Array.from(gathered.dataSync())).toEqual(
    Array.from(drawColumns(key('rademacher'), 8, [999_999_999, 3, 3])),
  );
  gathered.dispose();
});

it('is the identity where nothing is made smaller', () => {
  const matrix = new ProjectionMatrix(key('normal'), 5, 5);
  expect(matrix.isIdentity).toBe(true);
  expect(matrix.transposed().arraySync()).toEqual(tf.eye(5).arraySync());
  matrix.dispose();
});
