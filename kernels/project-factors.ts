/**
 * The projected per-example gradients of a linear map: the definition in plain tfjs operations, and the choice
 * between that and the addon's one operation.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { OpAttribute, TensorFlowBackend } from './tensorflow-backend';
import { asPositions, contractPositions, multiply } from './project';

/** What a linear map's inputs and output gradients are projected with. */
export interface Sides {
  /** Rᵀ [K, q]; null for the identity, where A is projected already or not made smaller. */
  readonly right: tf.Tensor2D | null;
  /** [1, q], added to each projected activation: the projection of a constant input of one. Null for none. */
  readonly biasRow: tf.Tensor2D | null;
  /** Lᵀ [O, p]; null for the identity. */
  readonly left: tf.Tensor2D | null;
  /** What the result is multiplied by. */
  readonly multiplier: number;
}

/** What the gradients G_n = sum_s d_ns a_nsᵀ are made of, and what they are projected with. */
export interface ProjectedFactors extends Sides {
  /** A [N, ..., K]: every axis between the first and the last is a position. */
  readonly activations: tf.Tensor;
  /** D [N, ..., O]. */
  readonly outputGradients: tf.Tensor;
}

/**
 * multiplier sum_s (d_ns Lᵀ)ᵀ (a_ns Rᵀ + bias row) for every example, float32 [N, p, q]. Runs inside the caller's `tf.tidy`.
 *
 * @throws Error when the shapes do not fit.
 */
export function projectPositions(factors: ProjectedFactors): tf.Tensor3D {
  const backend = suitsNative(factors) ? nativeBackend() : null;
  return backend === null ? projectPositionsPlainly(factors) : projectPositionsNatively(factors, backend);
}

/**
 * {@link projectPositions} in plain tfjs operations, which is its definition.
 *
 * Of the two orders, D Lᵀ before the sum over positions or L after it, the one with fewer multiplications.
 */
export function projectPositionsPlainly(factors: ProjectedFactors): tf.Tensor3D {
  return multiply(sumPositions(factors), factors.multiplier);
}

function sumPositions(factors: ProjectedFactors): tf.Tensor3D {
  const { right, biasRow, left } = factors;
  const activations = asPositions(factors.activations);
  const outputGradients = asPositions(factors.outputGradients);
  const product: tf.Tensor3D = right === null ? activations : tf.matMul(activations, right);
  const projected = biasRow === null ? product : product.add<tf.Tensor3D>(biasRow); // [N, S, q]
  if (left === null) return contractPositions(outputGradients, projected);
  const [, positions, outputs] = outputGradients.shape;
  const [p, q] = [left.shape[1], projected.shape[2]];
  const before = positions * p * (outputs + q);
  const after = outputs * q * (positions + p);
  if (before < after) return contractPositions(tf.matMul(outputGradients, left), projected);
  return tf.matMul(left, contractPositions(outputGradients, projected), true, false);
}

/** {@link projectPositions} by the addon's operation. */
export function projectPositionsNatively(factors: ProjectedFactors, backend: TensorFlowBackend): tf.Tensor3D {
  const { activations, outputGradients } = factors;
  const inputs = nativeInputs(activations, factors, outputGradients);
  return backend.executeSingleOutput(
    'BergsonProjectFactors',
    [multiplierOf(factors, backend)],
    inputs,
  ) as tf.Tensor3D;
}

export function multiplierOf(
  { multiplier }: Pick<Sides, 'multiplier'>,
  { binding }: TensorFlowBackend,
): OpAttribute {
  return { name: 'multiplier', type: binding.TF_ATTR_FLOAT, value: multiplier };
}

/** The inputs of the addon's operations that project; an empty matrix stands for an absent one. */
export function nativeInputs(
  activations: tf.Tensor,
  { right, biasRow, left }: Sides,
  outputGradients: tf.Tensor,
): tf.Tensor[] {
  const nothing = right === null || biasRow === null || left === null ? tf.zeros([0, 0]) : activations;
  return [activations, right ?? nothing, biasRow ?? nothing, outputGradients, left ?? nothing];
}

/** With nothing to project there is one product to take, and TensorFlow's own is the better one. */
function suitsNative({ activations, right, outputGradients, left }: ProjectedFactors): boolean {
  if (activations.dtype !== 'float32' || outputGradients.dtype !== 'float32') return false;
  return right !== null || left !== null;
}
