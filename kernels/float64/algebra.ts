/** Linear algebra in double precision, which tfjs has none of: by TensorFlow's own operations, or in JavaScript elsewhere. */
import tf = require('@tensorflow/tfjs');
import { plainAlgebra } from './plain';
import { tensorFlowAlgebra, type Float64Binding } from './tensorflow';

/** Sums of products of rows: Σ x xᵀ [width, width] over all rows x that were added. */
export interface GramSum {
  /** Adds `count` rows [count, width], row-major. */
  add(rows: Float32Array, count: number): void;
  /** The sum so far, row-major. */
  read(): Float64Array;
  dispose(): void;
}

/** Of a symmetric matrix M = V diag(values) Vᵀ. */
export interface SymmetricEigen {
  /** [width], ascending. */
  readonly values: Float64Array;
  /** V [width, width], row-major; column i belongs to value i. */
  readonly vectors: Float64Array;
}

/** Multiplies rows by V diag(scales) Vᵀ. */
export interface SpectralMap {
  /** `count` rows [count, width] to as many, rounded to float32 at the end. */
  apply(rows: Float32Array, count: number): Float32Array;
  dispose(): void;
}

export interface Float64Algebra {
  /** The widest matrix that is decomposed in reasonable time. */
  readonly widest: number;
  gramSum(width: number): GramSum;
  /** Of a symmetric matrix [width, width], of which the lower triangle is read. */
  symmetricEigen(matrix: Float64Array, width: number): SymmetricEigen;
  spectralMap(vectors: Float64Array, scales: Float64Array): SpectralMap;
}

/** By the backend that is selected now. What it makes belongs to that backend. */
export function float64Algebra(): Float64Algebra {
  if (tf.getBackend() !== 'tensorflow') return plainAlgebra;
  return tensorFlowAlgebra((tf.backend() as unknown as { binding: Float64Binding }).binding);
}
