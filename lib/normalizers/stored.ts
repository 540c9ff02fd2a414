/** Normalizers on disk, as safetensors. Bytes: docs/format.md. */
import tf = require('@tensorflow/tfjs');
import type { AttributedPart } from '../capture/attributed-layers';
import { InvalidSafetensorsError } from '../errors';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';
import { AdafactorNormalizer, factorNames } from './adafactor';
import { FixedNormalizer } from './fixed';
import { momentsInFile } from './moment-source';
import { isFactored, type Normalizer } from './normalizer';

/** Writes the second moments of these parts as they are now, by path. @throws DiskWriteError */
export function saveNormalizer(file: string, normalizer: Normalizer, parts: readonly AttributedPart[]): void {
  const tensors: Record<string, SafetensorsTensor> = {};
  const put = (name: string, values: tf.Tensor) => {
    tensors[name] = { dtype: 'F32', shape: values.shape, data: values.dataSync<'float32'>() };
  };
  for (const part of parts) {
    tf.tidy(() => {
      if (!isFactored(normalizer)) {
        // A fixed one would keep what it lays out.
        const moments =
          normalizer instanceof FixedNormalizer ? normalizer.read(part) : normalizer.secondMoments(part);
        put(part.path, moments);
        return;
      }
      const names = factorNames(part.path);
      const { rows, columns } = normalizer.factoredMoments(part);
      put(names.rows, rows);
      put(names.columns, columns);
    });
  }
  const { name } = normalizer;
  writeSafetensors(file, tensors, {
    name,
    ...(isFactored(normalizer)
      ? { form: 'factored' }
      : { form: 'full', epsilon: String(normalizer.epsilon) }),
  });
}

/** What `openNormalizer` gives. */
export type StoredNormalizer = FixedNormalizer | AdafactorNormalizer;

/**
 * Second moments as they were saved; each part's are read when they are needed. Of a run they are what
 * `normalizer.safetensors` holds. The caller disposes.
 * @throws InvalidSafetensorsError, and the file system's own error
 */
export function openNormalizer(file: string): StoredNormalizer {
  const opened = SafetensorsFile.open(file);
  const source = momentsInFile(opened);
  const { name, form, epsilon } = opened.metadata;
  if (form === 'factored') return new AdafactorNormalizer(source);
  if (form === 'full' && name !== undefined) return new FixedNormalizer(name, Number(epsilon), source);
  opened.close();
  throw new InvalidSafetensorsError(
    file,
    'metadata `form`',
    '`full` or `factored`, with a `name`',
    String(form),
  );
}
