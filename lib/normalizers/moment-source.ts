/** Where second moments that stay as they are come from: a safetensors file, or memory. */
import { NormalizerMismatchError } from '../errors';
import { SafetensorsFile, type SafetensorsTensor } from '../store/safetensors';

/** Named float32 tensors. */
export interface MomentSource {
  /** What it is, for messages. */
  readonly description: string;
  read(name: string): SafetensorsTensor | undefined;
  close(): void;
}

export function momentsInMemory(tensors: ReadonlyMap<string, SafetensorsTensor>): MomentSource {
  return { description: 'the normalizer', read: (name) => tensors.get(name), close: () => undefined };
}

/** Each tensor is read when it is asked for. */
export function momentsInFile(file: SafetensorsFile): MomentSource {
  return {
    description: file.path,
    read: (name) => (file.entries.has(name) ? file.read(name) : undefined),
    close: () => {
      file.close();
    },
  };
}

/** The values of `name`. @throws NormalizerMismatchError unless there are moments of that name and shape. */
export function readMoments(source: MomentSource, name: string, shape: readonly number[]): Float32Array {
  const found = source.read(name);
  if (found?.dtype !== 'F32' || found.shape.join() !== shape.join()) {
    throw new NormalizerMismatchError(
      source.description,
      name,
      shape,
      found && { dtype: found.dtype, shape: found.shape },
    );
  }
  return found.data as Float32Array;
}
