/** Second moments of gradients, by which per-example gradients are divided before they are projected. */
import * as tf from '@tensorflow/tfjs';
import type { AttributedPart } from '../capture/attributed-layers';
import type { ElementScale, KernelMoments } from '../../kernels/project-normalized';
import { OptimizerStateError } from '../errors';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';

/** G / (sqrt(V) + ε), element by element. */
export interface Normalizer {
  /** ε. */
  readonly epsilon: number;
  /** V of one part of a layer, float32 [O, I]. Runs inside the caller's `tf.tidy`. */
  secondMoments(part: AttributedPart): tf.Tensor2D;
  /** The same as they are kept for each weight, if they are: a kernel's need not then be laid out anew for each step. */
  weightMoments?(part: AttributedPart): WeightMoments;
}

/** V of each of a part's weights, in its shape; `correction` is still to be multiplied by. */
export interface WeightMoments {
  readonly tensors: tf.Tensor[];
  readonly correction: number;
}

/** What to multiply a part's gradient by. Runs, like what it returns, inside the caller's `tf.tidy`. */
export function elementScale(normalizer: Normalizer, part: AttributedPart): ElementScale {
  const { epsilon } = normalizer;
  let matrix: tf.Tensor2D | undefined;
  return {
    // Made at most once, however many calls of the layer ask for it.
    matrix: () => (matrix ??= tf.reciprocal(normalizer.secondMoments(part).sqrt().add(epsilon))),
    moments: kernelMoments(normalizer, part),
  };
}

function kernelMoments(normalizer: Normalizer, part: AttributedPart): KernelMoments | null {
  const moments = part.asKernel && normalizer.weightMoments?.(part);
  if (part.asKernel === undefined || moments === undefined) return null;
  const { correction } = moments;
  return { ...part.asKernel(moments.tensors), correction, epsilon: normalizer.epsilon };
}

/** Writes the second moments of these parts as they are now, by path. @throws DiskWriteError */
export function saveNormalizer(file: string, normalizer: Normalizer, parts: readonly AttributedPart[]): void {
  const tensors: Record<string, SafetensorsTensor> = {};
  for (const part of parts) {
    const data = tf.tidy(() => normalizer.secondMoments(part).dataSync<'float32'>());
    tensors[part.path] = { dtype: 'F32', shape: part.gradientShape, data };
  }
  writeSafetensors(file, tensors, { epsilon: String(normalizer.epsilon) });
}

/** Second moments as `saveNormalizer` wrote them. Each part's are read when asked for. */
export class StoredNormalizer implements Normalizer {
  readonly epsilon: number;

  private constructor(private readonly file: SafetensorsFile) {
    this.epsilon = Number(file.metadata.epsilon);
  }

  /** @throws the file system's own error, InvalidSafetensorsError */
  static open(file: string): StoredNormalizer {
    return new StoredNormalizer(SafetensorsFile.open(file));
  }

  secondMoments({ path, gradientShape }: AttributedPart): tf.Tensor2D {
    if (!this.file.entries.has(path))
      throw new OptimizerStateError(`the saved state has no layer \`${path}\``);
    return tf.tensor2d(this.file.read(path).data as Float32Array, [...gradientShape]);
  }

  close(): void {
    this.file.close();
  }
}
