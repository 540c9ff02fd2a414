/** Oracles in double precision, by the book. */
import { seededNormal } from '../search/support';

/** `count` rows [width] of correlated normal numbers. */
export function sampleRows(seed: number, count: number, width: number): Float32Array[] {
  const normal = seededNormal(seed);
  return Array.from({ length: count }, () => {
    const common = normal();
    return Float32Array.from({ length: width }, (_, i) => normal() * (1 + i / 4) + common);
  });
}

/** (1/N) Σ g gᵀ over `width` columns from `offset` on, plus `damping` times its mean diagonal on the diagonal. */
export function dampedMatrix(
  rows: readonly Float32Array[],
  offset: number,
  width: number,
  damping: number,
): number[][] {
  const matrix = Array.from({ length: width }, (_, i) =>
    Array.from({ length: width }, (__, j) =>
      rows.reduce((sum, row) => sum + (row[offset + i]! * row[offset + j]!) / rows.length, 0),
    ),
  );
  const mean = matrix.reduce((sum, row, i) => sum + row[i]!, 0) / width;
  matrix.forEach((row, i) => {
    row[i]! += damping * mean;
  });
  return matrix;
}

/** Solves A x = b by Gaussian elimination with partial pivoting. */
export function solve(matrix: readonly (readonly number[])[], right: ArrayLike<number>): number[] {
  const rows = matrix.map((row, i) => [...row, right[i]!]);
  const size = rows.length;
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let row = column; row < size; row++) {
      if (Math.abs(rows[row]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = row;
    }
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    for (let row = column + 1; row < size; row++) {
      const factor = rows[row]![column]! / rows[column]![column]!;
      for (let i = column; i <= size; i++) rows[row]![i]! -= factor * rows[column]![i]!;
    }
  }
  const solution = new Array<number>(size).fill(0);
  for (let row = size - 1; row >= 0; row--) {
    let sum = rows[row]![size]!;
    for (let i = row + 1; i < size; i++) sum -= rows[row]![i]! * solution[i]!;
    solution[row] = sum / rows[row]![row]!;
  }
  return solution;
}

/** The inner product of two vectors. */
export function inner(left: ArrayLike<number>, right: ArrayLike<number>): number {
  return Array.from(left).reduce((sum, value, i) => sum + value * (right[i] ?? NaN), 0);
}
