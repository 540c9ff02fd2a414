/** What a store's preconditioner is made of, as `bergson doctor RUN --json` prints it. */
import { BergsonError, PreconditionerNotFoundError } from '../../lib/errors';
import type { LayerConditioning } from '../../lib/preconditioners/preconditioner';
import { readPreconditioner } from '../../lib/preconditioners/preconditioner-files';
import type { GradientStoreReader } from '../../lib/store/reader';

export interface PreconditionerDiagnosis {
  /** In units of each layer's mean eigenvalue. */
  readonly damping: number;
  readonly examples: number;
  readonly of: 'rows' | 'given';
  /** The store's own share where queries' autocorrelation is mixed in; null where it is not. */
  readonly share: number | null;
  /** Whether the store's rows are preconditioned, or queries can be. */
  readonly applied: 'rows' | 'queries';
  readonly layers: readonly LayerSpectrumDiagnosis[];
}

export interface LayerSpectrumDiagnosis extends LayerConditioning {
  /** How many eigenvalues are larger than the damping: directions that keep most of their curvature. */
  readonly aboveDamping: number;
  /** Eigenvalues at ranks spread evenly from the largest to the smallest. */
  readonly spectrum: readonly number[];
}

/** Ranks of a spectrum that are shown. */
const RANKS = 32;

/** Null for a store without a preconditioner; in words what is wrong with one that cannot be used. */
export function diagnosePreconditioner(store: GradientStoreReader): PreconditionerDiagnosis | string | null {
  try {
    const { record, preconditioner } = readPreconditioner(store);
    const { spectra } = preconditioner.decomposition;
    return {
      damping: record.damping,
      examples: record.examples,
      of: record.of,
      share: record.queries?.share ?? null,
      applied: store.manifest?.preconditioned ? 'rows' : 'queries',
      layers: preconditioner.conditioning.map((conditioning, i) => {
        const values = spectra[i]?.values ?? new Float64Array();
        return {
          ...conditioning,
          aboveDamping: values.filter((value) => value > conditioning.damping).length,
          spectrum: atRanks(values),
        };
      }),
    };
  } catch (error) {
    if (error instanceof PreconditionerNotFoundError) return null;
    if (error instanceof BergsonError) return error.message;
    throw error;
  }
}

/** Of ascending `values`, those at evenly spread ranks, descending. */
function atRanks(values: Float64Array): number[] {
  const count = Math.min(RANKS, values.length);
  const step = count > 1 ? (values.length - 1) / (count - 1) : 0;
  return Array.from({ length: count }, (_, i) => values[values.length - 1 - Math.round(i * step)] ?? NaN);
}
