/** Second moments of gradients, by which per-example gradients are divided before they are projected. */
import * as tf from '@tensorflow/tfjs';
import type { AttributedPart } from '../capture/attributed-layers';
import { OptimizerStateError } from '../errors';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';

/** G / (sqrt(V) + ε), element by element. */
export interface Normalizer {
  /** ε. */
  readonly epsilon: number;
  /** V of one part of a layer, float32 [O, I]. Runs inside the caller's `tf.tidy`. */
  secondMoments(part: AttributedPart): tf.Tensor2D;
}

/** What to multiply a part's gradient by: float32 [O, I]. Runs inside the caller's `tf.tidy`. */
export function gradientScale(normalizer: Normalizer, part: AttributedPart): tf.Tensor2D {
  return tf.reciprocal<tf.Tensor2D>(normalizer.secondMoments(part).sqrt().add(normalizer.epsilon));
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
