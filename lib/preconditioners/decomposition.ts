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
