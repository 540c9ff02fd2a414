/**
 * Per-example gradients of a linear map, each element divided by the root of its second moment, and projected: the
 * definition in plain tfjs operations, and the addon's operations. Those form a gradient a tile at a time, and read the
 * second moments as the optimizer holds them.
 */
import tf = require('@tensorflow/tfjs');
import { nativeBackend } from './native';
import type { TensorFlowBackend } from './tensorflow-backend';
import { asPositions, contractPositions, multiply } from './project';
import { multiplierOf, nativeInputs, type ProjectedFactors } from './project-factors';
import { gatherPatches, windowOf, type ProjectedPatches } from './project-patches';

/** G / (sqrt(correction V) + epsilon), for a kernel's gradient and its bias's. */
export interface KernelMoments {
  /** V of the kernel, float32 [..., O], the inputs before the outputs. */
  readonly kernel: tf.Tensor;
  /** V of the bias, float32 [O]; null where it has none, and then there is no bias row. */
  readonly bias: tf.Tensor | null;
  readonly correction: number;
  readonly epsilon: number;
}

/** Gradients formed at one time by plain operations: this many floats, or one example's. */
const BLOCK = 1 << 22;

/** What each element of a linear map's gradients is multiplied by. */
export interface ElementScale {
  /** As the gradient is, float32 [O, I], with a column for the bias if there is one. */
  readonly matrix: () => tf.Tensor2D;
  /** The second moments that it follows from; null where they are not kept like that. */
  readonly moments: KernelMoments | null;
}

/**
 * multiplier L (G_n ∘ scale) Rᵀ for every example, float32 [N, p, q], for gradients G_n = sum_s d_ns a_nsᵀ that have one
 * more column, sum_s d_ns, where there is a bias row. Runs inside the caller's `tf.tidy`.
 *
 * @throws Error when the shapes do not fit.
 */
export function projectNormalized(factors: ProjectedFactors, scale: ElementScale): tf.Tensor3D {
  const backend = scale.moments === null ? null : nativeBackend();
  return scale.moments === null || backend === null
    ? projectNormalizedPlainly(factors, scale.matrix())
    : projectNormalizedNatively(factors, scale.moments, backend);
}

/** {@link projectNormalized} for the patches of images. */
export function projectNormalizedPatches(patches: ProjectedPatches, scale: ElementScale): tf.Tensor3D {
  const backend = scale.moments === null ? null : nativeBackend();
  if (scale.moments !== null && backend !== null) {
    return projectNormalizedPatchesNatively(patches, scale.moments, backend);
  }
  const activations = gatherPatches(patches.image, patches.window);
  return projectNormalizedPlainly({ ...patches, activations }, scale.matrix());
}

/** {@link projectNormalized} in plain tfjs operations, which is its definition. A block of gradients is formed at a time. */
export function projectNormalizedPlainly(factors: ProjectedFactors, scale: tf.Tensor2D): tf.Tensor3D {
  const { right, biasRow, left, multiplier } = factors;
  const activations = asPositions(factors.activations);
  const outputGradients = asPositions(factors.outputGradients);
  const [batchSize, positions] = activations.shape;
  const inputs =
    biasRow === null ? activations : tf.concat3d([activations, tf.ones([batchSize, positions, 1])], 2);
  const rightMatrix = right === null || biasRow === null ? right : tf.concat2d([right, biasRow], 0);
  const count = Math.max(1, Math.floor(BLOCK / scale.size));
  const blocks: tf.Tensor3D[] = [];
  for (let first = 0; first < batchSize; first += count) {
    const size = Math.min(count, batchSize - first);
    blocks.push(
      tf.tidy(() => {
        const block = contractPositions(outputGradients.slice(first, size), inputs.slice(first, size));
        const scaled = block.mul<tf.Tensor3D>(scale); // [n, O, I]
        const halfway: tf.Tensor3D = rightMatrix === null ? scaled : tf.matMul(scaled, rightMatrix);
        return left === null ? halfway : tf.matMul<tf.Tensor3D>(left, halfway, true, false);
      }),
    );
  }
  return multiply(tf.concat(blocks, 0), multiplier);
}

/** {@link projectNormalized} by the addon's operation. */
export function projectNormalizedNatively(
  factors: ProjectedFactors,
  moments: KernelMoments,
  backend: TensorFlowBackend,
): tf.Tensor3D {
  const inputs = [
    ...nativeInputs(factors.activations, factors, factors.outputGradients),
    ...momentInputs(moments),
  ];
  return backend.executeSingleOutput(
    'BergsonProjectNormalized',
    [multiplierOf(factors, backend)],
    inputs,
  ) as tf.Tensor3D;
}

/** {@link projectNormalizedPatches} by the addon's operation. */
export function projectNormalizedPatchesNatively(
  patches: ProjectedPatches,
  moments: KernelMoments,
  backend: TensorFlowBackend,
): tf.Tensor3D {
  const inputs = [...nativeInputs(patches.image, patches, patches.outputGradients), ...momentInputs(moments)];
  return backend.executeSingleOutput(
    'BergsonProjectNormalizedPatches',
    [multiplierOf(patches, backend), windowOf(patches.image, patches.window, backend)],
    inputs,
  ) as tf.Tensor3D;
}

function momentInputs({ kernel, bias, correction, epsilon }: KernelMoments): tf.Tensor[] {
  return [kernel, bias ?? tf.zeros([0, 0]), tf.tensor1d([correction, epsilon])];
}
