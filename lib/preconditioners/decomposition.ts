/** Eigenvalues and eigenvectors of autocorrelation matrices: what damping and powers are applied to. */
import { float64Algebra, type SymmetricEigen } from '../../kernels/float64/algebra';
import type { Autocorrelation, Progress } from './autocorrelation';

/** R = V diag(values) Vᵀ of one layer's columns. */
export interface LayerSpectrum extends SymmetricEigen {
  readonly layer: string;
  readonly width: number;
}

export interface Decomposition {
  /** How many examples the autocorrelation is over. */
  readonly examples: number;
  readonly spectra: readonly LayerSpectrum[];
}

/** Decomposes each layer's matrix in double precision: TensorFlow's SelfAdjointEigV2, or ml-matrix elsewhere. */
export function decompose(
  { examples, columns, matrices }: Autocorrelation,
  onProgress?: Progress,
): Decomposition {
  const algebra = float64Algebra();
  const spectra = columns.map(({ layer, width }, i) => {
    const eigen = algebra.symmetricEigen(matrices[i] ?? new Float64Array(width * width), width);
    onProgress?.(i + 1, columns.length);
    return { layer, width, ...eigen };
  });
  return { examples, spectra };
}

/** The matrices that `decompose` took apart, to double precision's rounding. */
export function recompose({ examples, spectra }: Decomposition): Autocorrelation {
  const matrices = spectra.map(({ values, vectors, width }) => {
    const matrix = new Float64Array(width * width);
    for (let i = 0; i < width; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < width; k++)
          sum += (vectors[i * width + k] ?? 0) * (values[k] ?? 0) * (vectors[j * width + k] ?? 0);
        matrix[i * width + j] = sum;
        matrix[j * width + i] = sum;
      }
    }
    return matrix;
  });
  return { examples, columns: spectra.map(({ layer, width }) => ({ layer, width })), matrices };
}
