/** What per-example gradients are made of, mostly the two factors of G_n = sum_s d_ns a_nsᵀ, and what they are made into. */
import tf = require('@tensorflow/tfjs');
import { awaitBackground } from '../../kernels/background';
import { multiply, projectGradient } from '../../kernels/project';
import { projectPositions } from '../../kernels/project-factors';
import { projectNormalizedPlainly, type ElementScale } from '../../kernels/project-normalized';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';
import type { RowColumn } from '../../kernels/row-terms';
import { ChannelFactors } from './channel-factors';
import { DenseActivations, joinPositions, type Activations, type ProjectionSides } from './activations';

/**
 * A linear map's gradient by its factors. The part's matrix has as many columns as there are inputs, or one more:
 * then the last is the bias's, a constant input of one.
 */
export interface LinearFactors {
  /** A [N, S, I]. */
  readonly activations: Activations;
  /** D [N, ..., O]: the loss's gradient at the map's output. */
  readonly outputGradients: tf.Tensor;
}

/** A gradient as it is, for weights that no linear map applies: G [N, O, I]. */
export interface ExplicitGradient {
  readonly gradient: tf.Tensor3D;
}

/** What the per-example gradients of one part are made of. */
export type Factors = LinearFactors | ExplicitGradient;

/** The left [p, O] and right [q, I] matrices of one part. */
export interface LayerProjection {
  readonly left: ProjectionMatrix;
  readonly right: ProjectionMatrix;
  /** What each row of a result is multiplied by, [p, 1], where that is not in `left`; null for nothing. */
  readonly wholeRows: tf.Tensor2D | null;
  /** The same for columns, [1, q]. */
  readonly wholeColumns: tf.Tensor2D | null;
}

/** Right sides that are kept whole are still multiplied by the identity up to this many inputs: one operation less. */
const SMALL_SIDE = 64;

/** L G_n Rᵀ times `multiplier` for every example, [N, p, q], without forming G_n. Runs inside the caller's `tf.tidy`. */
export function projectGradients(
  factors: Factors,
  projection: LayerProjection,
  multiplier: number,
): tf.Tensor3D {
  const { wholeRows, wholeColumns } = projection;
  const projected = projectByMatrices(factors, projection, multiplier);
  if (wholeRows !== null || wholeColumns !== null) awaitBackground();
  const scaled = wholeRows === null ? projected : projected.mul<tf.Tensor3D>(wholeRows);
  return wholeColumns === null ? scaled : scaled.mul<tf.Tensor3D>(wholeColumns);
}

/** Whether gradients under this projection are something that the addon can make later: not where a side is kept whole. */
export function canDefer({ right, wholeRows, wholeColumns }: LayerProjection): boolean {
  return wholeRows === null && wholeColumns === null && !isKeptWhole(right);
}

/**
 * Adds what `projectGradients` gives to `column`, whose numbers the addon makes later, if `canDefer`; returns false, with nothing
 * done, where only `projectGradients` can. Runs inside the caller's `tf.tidy`.
 */
export function deferGradients(
  column: RowColumn,
  factors: Factors,
  projection: LayerProjection,
  multiplier: number,
): boolean {
  const { left } = projection;
  if ('gradient' in factors) {
    if (!(factors instanceof ChannelFactors)) return false;
    factors.addTo(column, left.isIdentity ? null : left.transposed(), multiplier);
    return true;
  }
  const { activations, outputGradients } = factors;
  if (activations.addTo === undefined) return false;
  activations.addTo(column, outputGradients, sidesOf(activations, projection, multiplier));
  return true;
}

function projectByMatrices(factors: Factors, projection: LayerProjection, multiplier: number): tf.Tensor3D {
  const { left, right } = projection;
  if ('gradient' in factors) return multiply(projectGradient(factors.gradient, left, right), multiplier);
  const { activations, outputGradients } = factors;
  const sides = sidesOf(activations, projection, multiplier);
  return isKeptWhole(right)
    ? projectPositions({ ...sides, ...wholeInputs(activations, sides), outputGradients })
    : activations.projectGradients(outputGradients, sides);
}

/** L (G_n ∘ scale) Rᵀ times `multiplier` for every example, [N, p, q]. Runs inside the caller's `tf.tidy`. */
export function projectNormalizedGradients(
  factors: Factors,
  scale: ElementScale,
  projection: LayerProjection,
  multiplier: number,
): tf.Tensor3D {
  if ('gradient' in factors) {
    return projectGradients({ gradient: factors.gradient.mul(scale.matrix()) }, projection, multiplier);
  }
  const { activations, outputGradients } = factors;
  const sides = sidesOf(activations, projection, multiplier);
  if (!isKeptWhole(projection.right)) return activations.projectNormalized(outputGradients, sides, scale);
  const whole = { ...sides, ...wholeInputs(activations, sides), outputGradients };
  return projectNormalizedPlainly(whole, scale.matrix());
}

function isKeptWhole(right: ProjectionMatrix): boolean {
  return right.isIdentity && right.columns > SMALL_SIDE;
}

function sidesOf(
  activations: Activations,
  { left, right }: LayerProjection,
  multiplier: number,
): ProjectionSides {
  const beside = right.columns - activations.inputs;
  if (beside !== 0 && beside !== 1) {
    throw new Error(
      `internal: a gradient of ${right.columns} columns from activations of ${activations.inputs} inputs`,
    );
  }
  const biasRow = beside === 1 ? right.transposedPart(right.columns - 1, right.columns) : null;
  return { right, biasRow, left: left.isIdentity ? null : left.transposed(), multiplier };
}

/** The inputs, with a constant one for the bias, of gradients whose right side is not projected. */
function wholeInputs(activations: Activations, { biasRow }: ProjectionSides) {
  const inputs = activations.materialize();
  const [n, s] = inputs.shape;
  const ones = () => tf.ones<tf.Rank.R3>([n, s, 1]);
  return {
    activations: biasRow === null ? inputs : tf.concat([inputs, ones()], 2),
    right: null,
    biasRow: null,
  };
}

/**
 * The same gradients from fewer factors: those over plain activations become one, with all their positions, since
 * projecting once is faster than projecting for every time step. Runs inside the caller's `tf.tidy`.
 */
export function joinFactors(factors: readonly Factors[]): readonly Factors[] {
  const joinable = factors.filter(isDense);
  if (joinable.length < 2) return factors;
  const joined = {
    activations: DenseActivations.join(joinable.map(({ activations }) => activations)),
    outputGradients: joinPositions(joinable.map(({ outputGradients }) => outputGradients)),
  };
  return [joined, ...factors.filter((each) => !isDense(each))];
}

function isDense(factors: Factors): factors is LinearFactors & { activations: DenseActivations } {
  return !('gradient' in factors) && factors.activations instanceof DenseActivations;
}
