import { principalAxes, type Axes } from '../../lib/search/principal-axes';
import { gaussian, seededUniform } from '../../lib/search/random';

const axis = ({ values }: Axes, i: number, width: number) => values.subarray(i * width, (i + 1) * width);
const product = (a: Float32Array, b: Float32Array) =>
  a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);

/** Unit rows that have all but a hundredth of their norm in the first `rank` coordinates, the first the most. */
function makeRows(count: number, width: number, rank: number): Float32Array {
  const uniform = seededUniform(5);
  const rows = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const row = Float32Array.from({ length: width }, (_, k) =>
      k < rank ? gaussian(uniform) / (k + 1) : (0.01 * gaussian(uniform)) / Math.sqrt(width),
    );
    const norm = Math.sqrt(product(row, row));
    rows.set(
      row.map((value) => value / norm),
      i * width,
    );
  }
  return rows;
}

describe.each([
  ['more rows than columns', 400, 40],
  ['fewer', 60, 500],
])('principal axes of %s', (_, count, width) => {
  const rows = makeRows(count, width, 8);
  const axes = principalAxes(rows, width, { most: 16, share: 0.98 });

  it('are the fewest, by eights, that hold the share, those that hold most first', () => {
    expect(axes.count).toBe(8);
    const held = Array.from({ length: axes.count }, (_, i) => {
      let energy = 0;
      for (let row = 1; row < count; row += 2)
        energy += product(rows.subarray(row * width, (row + 1) * width), axis(axes, i, width)) ** 2;
      return energy;
    });
    expect(held).toEqual([...held].sort((a, b) => b - a));
    expect(held.reduce((sum, energy) => sum + energy, 0)).toBeGreaterThan(0.98 * (count / 2));
    expect(Math.abs(axis(axes, 0, width)[0] ?? 0)).toBeGreaterThan(0.95);
  });

  it('are orthonormal to float32’s rounding', () => {
    for (let i = 0; i < axes.count; i++)
      for (let j = 0; j <= i; j++)
        expect(product(axis(axes, i, width), axis(axes, j, width))).toBeCloseTo(i === j ? 1 : 0, 6);
  });
});

it('are at most as many as asked for, where none hold the share', () => {
  const uniform = seededUniform(6);
  const rows = Float32Array.from({ length: 100 * 64 }, () => gaussian(uniform) / 8);
  expect(principalAxes(rows, 64, { most: 16, share: 0.98 }).count).toBe(16);
});

it.each([0, 3])('are one unit vector of %d rows of zeros', (count) => {
  const axes = principalAxes(new Float32Array(count * 5), 5, { most: 8, share: 0.98 });
  expect([...axes.values]).toEqual([1, 0, 0, 0, 0]);
});
