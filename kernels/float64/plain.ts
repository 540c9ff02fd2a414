/** Double precision in JavaScript, where TensorFlow does not run. */
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';
import type { Float64Algebra } from './algebra';

/** A decomposition takes minutes here. */
const WIDEST = 1024;

export const plainAlgebra: Float64Algebra = {
  widest: WIDEST,

  gramSum(width) {
    const sum = new Float64Array(width * width);
    return {
      add(rows, count) {
        addProducts(Float64Array.from(rows.subarray(0, count * width)), count, width, sum);
      },
      read: () => mirrored(sum, width),
      dispose: () => undefined,
    };
  },

  symmetricEigen(matrix, width) {
    const symmetric = Matrix.from1DArray(width, width, matrix);
    const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(symmetric, {
      assumeSymmetric: true,
    });
    // ml-matrix orders eigenvalues as TensorFlow does, ascending.
    return {
      values: Float64Array.from(realEigenvalues),
      vectors: Float64Array.from(eigenvectorMatrix.to1DArray()),
    };
  },

  spectralMap(vectors, scales) {
    const width = scales.length;
    return {
      apply(rows, count) {
        const mapped = new Float32Array(count * width);
        for (let row = 0; row < count; row++) {
          const x = rows.subarray(row * width, (row + 1) * width);
          mapped.set(applyOnce(vectors, scales, x), row * width);
        }
        return mapped;
      },
      dispose: () => undefined,
    };
  },
};

/** Adds the upper triangle of XᵀX, four rows at a time, so that each sum is loaded and stored once for four products. */
function addProducts(x: Float64Array, count: number, width: number, sum: Float64Array): void {
  let row = 0;
  for (; row + 4 <= count; row += 4) {
    const [r0, r1, r2, r3] = [row * width, (row + 1) * width, (row + 2) * width, (row + 3) * width];
    for (let i = 0; i < width; i++) {
      const [a, b, c, d] = [x[r0 + i]!, x[r1 + i]!, x[r2 + i]!, x[r3 + i]!];
      const at = i * width;
      for (let j = i; j < width; j++) {
        sum[at + j]! += a * x[r0 + j]! + b * x[r1 + j]! + c * x[r2 + j]! + d * x[r3 + j]!;
      }
    }
  }
  for (; row < count; row++) {
    const start = row * width;
    for (let i = 0; i < width; i++) {
      const a = x[start + i]!;
      for (let j = i; j < width; j++) sum[i * width + j]! += a * x[start + j]!;
    }
  }
}

function mirrored(upper: Float64Array, width: number): Float64Array {
  const full = upper.slice();
  for (let i = 0; i < width; i++) {
    for (let j = 0; j < i; j++) full[i * width + j] = upper[j * width + i]!;
  }
  return full;
}

/** V S Vᵀ x, both products along the rows of V. */
function applyOnce(vectors: Float64Array, scales: Float64Array, x: Float32Array): Float64Array {
  const width = scales.length;
  const coordinates = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    const value = x[i]!;
    for (let j = 0; j < width; j++) coordinates[j]! += value * vectors[i * width + j]!;
  }
  for (let j = 0; j < width; j++) coordinates[j]! *= scales[j]!;
  const mapped = new Float64Array(width);
  for (let i = 0; i < width; i++) {
    let sum = 0;
    for (let j = 0; j < width; j++) sum += coordinates[j]! * vectors[i * width + j]!;
    mapped[i] = sum;
  }
  return mapped;
}
