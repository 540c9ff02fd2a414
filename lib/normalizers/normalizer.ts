/** Second moments of gradients, by which per-example gradients are divided before they are projected. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import type { ElementScale, KernelMoments } from '../../kernels/project-normalized';

/** Divides each element by a root of its own, or by one that factors into a row's and a column's. */
export type Normalizer = ElementNormalizer | FactoredNormalizer;

/** G / (sqrt(V) + ε), element by element. */
export interface ElementNormalizer {
  /** What a run's manifest calls it. */
  readonly name: string;
  /** ε. */
  readonly epsilon: number;
  /**
   * Whether V stays what it is, so that gradients can be made as the backward pass reaches them. Default: false; then
   * what they are made of is kept until the step, with its update, is over.
   */
  readonly fixed?: boolean;
  /** V of one part of a layer, float32 [O, I]. Runs inside the caller's `tf.tidy`. */
  secondMoments(part: AttributedPart): tf.Tensor2D;
  /** The same in the layout of a kernel and a bias, if that takes less work; null for a part that is no linear map's. */
  kernelMoments?(part: AttributedPart): Omit<KernelMoments, 'epsilon'> | null;
}

/**
 * G_oi sqrt(mean r) / (sqrt(r_o) sqrt(c_i)), that is, G / sqrt(V) with V = r cᵀ / mean(r). Since it scales rows and
 * columns, what a gradient is made of is scaled in its place, and no gradient is formed. Shazeer & Stern, 2018.
 */
export interface FactoredNormalizer {
  /** What a run's manifest calls it. */
  readonly name: string;
  /** r and c of one part of a layer, which stay what they are. Runs inside the caller's `tf.tidy`. */
  factoredMoments(part: AttributedPart): FactoredMoments;
}

export interface FactoredMoments {
  /** r, the mean of V over inputs, float32 [O]. */
  readonly rows: tf.Tensor1D;
  /** c, the mean of V over outputs, float32 [I]; the last is the bias's where there is one. */
  readonly columns: tf.Tensor1D;
}

export function isFactored(normalizer: Normalizer): normalizer is FactoredNormalizer {
  return 'factoredMoments' in normalizer;
}

/** Whether its moments stay what they are, whatever the model goes through. */
export function isFixed(normalizer: Normalizer): boolean {
  return isFactored(normalizer) || normalizer.fixed === true;
}

/** What to multiply a part's gradient by. Runs, like what it returns, inside the caller's `tf.tidy`. */
export function elementScale(normalizer: ElementNormalizer, part: AttributedPart): ElementScale {
  const { epsilon } = normalizer;
  const kernel = normalizer.kernelMoments?.(part) ?? null;
  let matrix: tf.Tensor2D | undefined;
  return {
    // Made at most once, however many calls of the layer ask for it.
    matrix: () => (matrix ??= tf.reciprocal(normalizer.secondMoments(part).sqrt().add(epsilon))),
    moments: kernel && { ...kernel, epsilon },
  };
}

/** Added to both means, so that neither is zero; Adafactor's ε₁. */
const FACTOR_EPSILON = 1e-30;

/** What to multiply rows [O] and columns [I] by: sqrt(mean r) / sqrt(r), and 1 / sqrt(c). Runs inside the caller's `tf.tidy`. */
export function factoredScales({ rows, columns }: FactoredMoments): FactoredMoments {
  const r = rows.add(FACTOR_EPSILON);
  return {
    rows: r.mean().sqrt().div<tf.Tensor1D>(r.sqrt()),
    columns: columns.add<tf.Tensor1D>(FACTOR_EPSILON).rsqrt(),
  };
}

/**
 * What each element of a part's gradient is multiplied by, float32 [O, I], of any normalizer: for whoever holds
 * gradients anyway. Runs inside the caller's `tf.tidy`.
 */
export function scaleMatrix(normalizer: Normalizer, part: AttributedPart): tf.Tensor2D {
  if (!isFactored(normalizer)) return elementScale(normalizer, part).matrix();
  const { rows, columns } = factoredScales(normalizer.factoredMoments(part));
  return rows.expandDims(1).mul(columns);
}
