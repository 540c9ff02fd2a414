/** What per-example gradients are made of, mostly the two factors of G_n = sum_s d_ns a_nsᵀ, and what they are made into. */
import * as tf from '@tensorflow/tfjs';
import { asPositions, contractPositions, multiply, projectGradient } from '../../kernels/project';
import { projectPositions } from '../../kernels/project-factors';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';
import { DenseActivations, joinPositions, type Activations } from './activations';

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
}

/** Right sides that are kept whole are still multiplied by the identity up to this many inputs: one operation less. */
const SMALL_SIDE = 64;

/** L G_n Rᵀ times `multiplier` for every example, [N, p, q], without forming G_n. Runs inside the caller's `tf.tidy`. */
export function projectGradients(
  factors: Factors,
  { left, right }: LayerProjection,
  multiplier: number,
): tf.Tensor3D {
  if ('gradient' in factors) return multiply(projectGradient(factors.gradient, left, right), multiplier);
  const { activations, outputGradients } = factors;
  const bias = hasBias(activations, right.columns);
  const leftMatrix = left.isIdentity ? null : left.transposed();
  if (right.isIdentity && right.columns > SMALL_SIDE) {
    const whole = inputsWithBias(activations, bias);
    const sides = { right: null, biasRow: null, left: leftMatrix, multiplier };
    return projectPositions({ ...sides, activations: whole, outputGradients });
  }
  const biasRow = bias ? right.transposedPart(right.columns - 1, right.columns) : null;
  return activations.projectGradients(outputGradients, { right, biasRow, left: leftMatrix, multiplier });
}

/** Gradients formed at one time while scaling element by element: this many floats, or one example's. */
const SCALED_BLOCK = 1 << 22;

/**
 * L (G_n ∘ scale) Rᵀ times `multiplier` for every example, [N, p, q], with `scale` [O, I]. G_n is formed for a block of examples
 * at a time. Runs inside the caller's `tf.tidy`.
 */
export function projectScaledGradients(
  factors: Factors,
  scale: tf.Tensor2D,
  projection: LayerProjection,
  multiplier: number,
): tf.Tensor3D {
  if ('gradient' in factors) {
    return projectGradients({ gradient: factors.gradient.mul(scale) }, projection, multiplier);
  }
  const { activations, outputGradients } = factors;
  const bias = hasBias(activations, scale.shape[1]);
  const scaled = activations.scaleOutputGradients(outputGradients, scale);
  if (scaled !== null) {
    return projectGradients({ activations, outputGradients: scaled }, projection, multiplier);
  }
  const batchSize = outputGradients.shape[0];
  const count = Math.max(1, Math.floor(SCALED_BLOCK / scale.size));
  const blocks: tf.Tensor3D[] = [];
  for (let first = 0; first < batchSize; first += count) {
    const size = Math.min(count, batchSize - first);
    blocks.push(
      tf.tidy(() => {
        const inputs = inputsWithBias(activations.slice(first, size), bias);
        const block = asPositions(outputGradients.slice(first, size));
        const gradient = contractPositions(block, inputs).mul<tf.Tensor3D>(scale);
        return projectGradient(gradient, projection.left, projection.right);
      }),
    );
  }
  return multiply(tf.concat(blocks, 0), multiplier);
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

/** Whether a matrix of so many columns has one for the bias beside the activations' inputs. */
function hasBias(activations: Activations, columns: number): boolean {
  const beside = columns - activations.inputs;
  if (beside !== 0 && beside !== 1) {
    throw new Error(
      `internal: a gradient of ${columns} columns from activations of ${activations.inputs} inputs`,
    );
  }
  return beside === 1;
}

function inputsWithBias(activations: Activations, bias: boolean): tf.Tensor3D {
  const inputs = activations.materialize();
  if (!bias) return inputs;
  const [n, s] = inputs.shape;
  return tf.concat([inputs, tf.ones<tf.Rank.R3>([n, s, 1])], 2);
}
