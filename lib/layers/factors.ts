/** The two factors of a linear map's per-example gradients, G_n = sum_s d_ns a_nsᵀ, and what they are made into. */
import * as tf from '@tensorflow/tfjs';
import { contractPositions, projectGradient } from '../../kernels/project';
import { projectPositions } from '../../kernels/project-factors';
import type { ProjectionMatrix } from '../../kernels/projection-matrix';
import type { Activations } from './activations';

export interface Factors {
  /** A; null for a weight that scales or shifts each output by itself, whose gradient is D summed over positions. */
  readonly activations: Activations | null;
  /** D [N, S, O]: the loss's gradient at the layer's pre-activation output. */
  readonly outputGradients: tf.Tensor3D;
  /** Whether the map has a bias, whose gradient is then the last column: a constant input of one. */
  readonly bias: boolean;
}

/** The left [p, O] and right [q, I] matrices of one layer. */
export interface LayerProjection {
  readonly left: ProjectionMatrix;
  readonly right: ProjectionMatrix;
}

/** Right sides that are kept whole are still multiplied by the identity up to this many inputs: one operation less. */
const SMALL_SIDE = 64;

/** L G_n Rᵀ for every example, [N, p, q], without forming G_n. Runs inside the caller's `tf.tidy`. */
export function projectGradients(factors: Factors, { left, right }: LayerProjection): tf.Tensor3D {
  const { activations, outputGradients, bias } = factors;
  if (activations === null) {
    const vectors = sumPositions(outputGradients);
    return asColumn(left.isIdentity ? vectors : tf.matMul(vectors, left.transposed()));
  }
  const leftMatrix = left.isIdentity ? null : left.transposed();
  if (right.isIdentity && right.columns > SMALL_SIDE) {
    const whole = inputsWithBias(activations, bias);
    return projectPositions({
      activations: whole,
      right: null,
      biasRow: null,
      outputGradients,
      left: leftMatrix,
    });
  }
  const biasRow = bias ? right.transposedPart(right.columns - 1, right.columns) : null;
  return projectPositions({ ...activations.project(right), biasRow, outputGradients, left: leftMatrix });
}

/** G_n for every example, [N, O, I]. Runs inside the caller's `tf.tidy`. */
function perExampleGradient({ activations, outputGradients, bias }: Factors): tf.Tensor3D {
  if (activations === null) return asColumn(sumPositions(outputGradients));
  return contractPositions(outputGradients, inputsWithBias(activations, bias));
}

/** Gradients formed at one time while scaling element by element: this many floats, or one example's. */
const SCALED_BLOCK = 1 << 22;

/**
 * L (G_n ∘ scale) Rᵀ for every example, [N, p, q], with `scale` [O, I]. G_n is formed for a block of examples
 * at a time. Runs inside the caller's `tf.tidy`.
 */
export function projectScaledGradients(
  factors: Factors,
  scale: tf.Tensor2D,
  projection: LayerProjection,
): tf.Tensor3D {
  const { activations, outputGradients, bias } = factors;
  const scaled = activations?.scaleOutputGradients(outputGradients, scale) ?? null;
  if (scaled !== null) return projectGradients({ activations, outputGradients: scaled, bias }, projection);
  const batchSize = outputGradients.shape[0];
  const count = Math.max(1, Math.floor(SCALED_BLOCK / scale.size));
  const blocks: tf.Tensor3D[] = [];
  for (let first = 0; first < batchSize; first += count) {
    const size = Math.min(count, batchSize - first);
    blocks.push(
      tf.tidy(() => {
        const block = {
          activations: activations?.slice(first, size) ?? null,
          outputGradients: outputGradients.slice(first, size),
          bias,
        };
        const gradient = perExampleGradient(block).mul<tf.Tensor3D>(scale);
        return projectGradient(gradient, projection.left, projection.right);
      }),
    );
  }
  return tf.concat(blocks, 0);
}

function inputsWithBias(activations: Activations, bias: boolean): tf.Tensor3D {
  const inputs = activations.materialize();
  if (!bias) return inputs;
  const [n, s] = inputs.shape;
  return tf.concat([inputs, tf.ones<tf.Rank.R3>([n, s, 1])], 2);
}

/** [N, S, O] -> [N, O]. */
function sumPositions(x: tf.Tensor3D): tf.Tensor2D {
  const [n, positions, outputs] = x.shape;
  return positions === 1 ? x.reshape([n, outputs]) : x.sum(1);
}

/** [N, O] -> [N, O, 1]. */
function asColumn(x: tf.Tensor2D): tf.Tensor3D {
  return x.expandDims(2);
}
