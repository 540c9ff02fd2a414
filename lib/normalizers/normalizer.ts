/** Second moments of gradients, by which per-example gradients are divided before they are projected. */
import * as tf from '@tensorflow/tfjs';
import type { AttributedLayer } from '../capture/attributed-layers';
import { OptimizerStateError } from '../errors';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';

/** G / (sqrt(V) + ε), element by element. */
export interface Normalizer {
  /** ε. */
  readonly epsilon: number;
  /** V of a layer, float32 [O, I]. Runs inside the caller's `tf.tidy`. */
  secondMoments(layer: AttributedLayer): tf.Tensor2D;
}

/** What to multiply a layer's gradient by: float32 [O, I]. Runs inside the caller's `tf.tidy`. */
export function gradientScale(normalizer: Normalizer, layer: AttributedLayer): tf.Tensor2D {
  return tf.reciprocal<tf.Tensor2D>(normalizer.secondMoments(layer).sqrt().add(normalizer.epsilon));
}

/** Writes the second moments of these layers as they are now, by path. @throws DiskWriteError */
export function saveNormalizer(
  file: string,
  normalizer: Normalizer,
  layers: readonly AttributedLayer[],
): void {
  const tensors: Record<string, SafetensorsTensor> = {};
  for (const layer of layers) {
    const data = tf.tidy(() => normalizer.secondMoments(layer).dataSync<'float32'>());
    tensors[layer.path] = { dtype: 'F32', shape: layer.gradientShape, data };
  }
  writeSafetensors(file, tensors, { epsilon: String(normalizer.epsilon) });
}

/** Second moments as `saveNormalizer` wrote them. Each layer's are read when asked for. */
export class StoredNormalizer implements Normalizer {
  readonly epsilon: number;

  private constructor(private readonly file: SafetensorsFile) {
    this.epsilon = Number(file.metadata.epsilon);
  }

  /** @throws the file system's own error, InvalidSafetensorsError */
  static open(file: string): StoredNormalizer {
    return new StoredNormalizer(SafetensorsFile.open(file));
  }

  secondMoments({ path, gradientShape }: AttributedLayer): tf.Tensor2D {
    if (!this.file.entries.has(path))
      throw new OptimizerStateError(`the saved state has no layer \`${path}\``);
    return tf.tensor2d(this.file.read(path).data as Float32Array, [...gradientShape]);
  }

  close(): void {
    this.file.close();
  }
}
