/**
 * The inverse of damped autocorrelation matrices, H = R + δ I layer by layer, applied to rows of gradients: H⁻¹ to a query,
 * or H^-1/2 to both sides of an inner product, which is the same until rows are brought to unit norm in between.
 *
 * δ is `damping` times the mean eigenvalue of the layer's R. So it has the unit of R, whatever the scale of a layer's
 * gradients, and no direction is magnified more than 1 / damping times over the average one.
 */
import { InvalidOptionError, RowShapeError, SingularAutocorrelationError } from '../errors';
import { float64Algebra, type SpectralMap } from '../../kernels/float64/algebra';
import { takeColumns } from './autocorrelation';
import type { Decomposition, LayerSpectrum } from './decomposition';

/** As others choose it for influence functions of neural networks (Grosse et al. 2023, arXiv 2308.03296). */
export const DEFAULT_DAMPING = 0.1;

/** Which power of H: H⁻¹, or H^-1/2. */
export type Power = 'inverse' | 'inverse-root';

export interface PreconditionerOptions {
  /** What is added to each layer's eigenvalues, in units of their mean. Default: 0.1. */
  readonly damping?: number;
}

/** What damping does to a layer. */
export interface LayerConditioning {
  readonly layer: string;
  readonly width: number;
  readonly smallest: number;
  readonly mean: number;
  readonly largest: number;
  /** δ, in the unit of the eigenvalues. */
  readonly damping: number;
  /** Of H: (largest + δ) / (smallest + δ); null for a layer without a gradient. */
  readonly condition: number | null;
}

export class Preconditioner {
  /** Numbers in a row. */
  readonly width: number;
  private readonly maps = new Map<Power, SpectralMap[]>();

  private constructor(
    readonly decomposition: Decomposition,
    readonly damping: number,
  ) {
    this.width = decomposition.spectra.reduce((sum, { width }) => sum + width, 0);
  }

  /**
   * Damps `decomposition`. A layer none of whose examples has a gradient maps to zero, as all its scores are.
   * @throws InvalidOptionError; SingularAutocorrelationError if `damping` leaves a layer without an inverse
   */
  static of(
    decomposition: Decomposition,
    { damping = DEFAULT_DAMPING }: PreconditionerOptions = {},
  ): Preconditioner {
    if (!(damping >= 0 && damping < Infinity))
      throw new InvalidOptionError('damping', damping, 'a number from 0');
    for (const spectrum of decomposition.spectra) checkInverse(spectrum, damping);
    return new Preconditioner(decomposition, damping);
  }

  /** Eigenvalues, damping and condition number of each layer. */
  get conditioning(): LayerConditioning[] {
    return this.decomposition.spectra.map((spectrum) => conditioningOf(spectrum, this.damping));
  }

  /**
   * `rows`, each [width], multiplied by a power of H. Computed in double precision, rounded at the end.
   * @throws RowShapeError
   */
  apply(rows: readonly Float32Array[], power: Power = 'inverse'): Float32Array[] {
    const { width } = this;
    const block = new Float32Array(rows.length * width);
    rows.forEach((row, i) => {
      if (row.length !== width) throw new RowShapeError(`row ${i}`, width, row.length);
      block.set(row, i * width);
    });
    const mapped = this.applyToBlock(block, power);
    return rows.map((_, i) => mapped.slice(i * width, (i + 1) * width));
  }

  /** The same for rows that lie one after another: [n, width] to [n, width]. @throws RowShapeError */
  applyToBlock(rows: Float32Array, power: Power = 'inverse'): Float32Array {
    const { width } = this;
    const count = Math.floor(rows.length / width);
    if (count * width !== rows.length) throw new RowShapeError(`${count} rows`, count * width, rows.length);
    const mapped = new Float32Array(rows.length);
    if (count === 0) return mapped;
    let offset = 0;
    this.decomposition.spectra.forEach((spectrum, i) => {
      const columns = takeColumns(rows, width, offset, spectrum.width);
      const layer = this.mapsOf(power)[i]?.apply(columns, count) ?? columns;
      for (let row = 0; row < count; row++) {
        mapped.set(layer.subarray(row * spectrum.width, (row + 1) * spectrum.width), row * width + offset);
      }
      offset += spectrum.width;
    });
    return mapped;
  }

  /** Frees what was laid out for applying it, which happens again when it is applied again. */
  dispose(): void {
    for (const map of [...this.maps.values()].flat()) map.dispose();
    this.maps.clear();
  }

  private mapsOf(power: Power): SpectralMap[] {
    const made = this.maps.get(power);
    if (made !== undefined) return made;
    const algebra = float64Algebra();
    const exponent = power === 'inverse' ? -1 : -0.5;
    const maps = this.decomposition.spectra.map((spectrum) => {
      const { damping, mean } = conditioningOf(spectrum, this.damping);
      const scale = (value: number) => (mean === 0 ? 0 : (value + damping) ** exponent);
      return algebra.spectralMap(spectrum.vectors, spectrum.values.map(scale));
    });
    this.maps.set(power, maps);
    return maps;
  }
}

function conditioningOf({ layer, width, values }: LayerSpectrum, relative: number): LayerConditioning {
  const [smallest = 0, largest = 0] = [values[0], values.at(-1)];
  const mean = values.reduce((sum, value) => sum + value, 0) / width;
  const damping = relative * mean;
  const condition = mean === 0 ? null : (largest + damping) / (smallest + damping);
  return { layer, width, smallest, mean, largest, damping, condition };
}

/** Eigenvalues are known to within this share of the largest, times the width; what is below may as well be zero. */
const RELATIVE_PRECISION = 2 ** -52;

function checkInverse(spectrum: LayerSpectrum, relative: number): void {
  const { layer, width, smallest, mean, largest, damping } = conditioningOf(spectrum, relative);
  if (mean === 0) return;
  const unknown = width * RELATIVE_PRECISION * largest;
  if (smallest + damping <= unknown)
    throw new SingularAutocorrelationError(layer, smallest, largest, relative);
}
