/** Between a model's weights and Hugging Face's names and layouts for them. */
import tf = require('@tensorflow/tfjs');
import { findWeightedLayers } from '../capture/trained-layers';
import { WeightOverflowError } from '../errors';
import { localName } from '../layers/weight';
import { encodeBfloat16 } from '../store/bfloat16';
import { encodeFloat16 } from '../store/float16';
import { writeSafetensors } from '../store/safetensors';
import type { Architecture } from './architecture';
import type { Checkpoint } from './checkpoint';
import { Linear } from './layers/linear';

/** A weight, and the tensor it is in a file. */
export interface StoredWeight {
  readonly weight: tf.LayerVariable;
  /** With the base model's prefix, which some files leave out. */
  readonly name: string;
  /** Whether the file holds the transpose. */
  readonly transposed: boolean;
}

/** Sets `weights` to their values in `checkpoint`, one at a time, under their names or what follows `prefix` in them. @throws CheckpointError */
export function readWeights(weights: readonly StoredWeight[], checkpoint: Checkpoint, prefix: string): void {
  for (const { weight, name, transposed } of weights) {
    const bare = name.slice(prefix.length);
    const found = !checkpoint.has(name) && name.startsWith(prefix) ? bare : name;
    const shape = weight.shape as number[];
    const storedShape = transposed ? [...shape].reverse() : shape;
    const values = checkpoint.read(checkpoint.has(found) ? found : name, storedShape);
    tf.tidy(() => {
      const stored = tf.tensor(values, storedShape);
      weight.write(transposed ? stored.transpose() : stored);
    });
  }
}

/** How weights are written, by Hugging Face's names. */
export type WeightDtype = 'float32' | 'float16' | 'bfloat16';

const DTYPES = {
  float32: { dtype: 'F32', encode: null },
  float16: { dtype: 'F16', encode: encodeFloat16 },
  bfloat16: { dtype: 'BF16', encode: encodeBfloat16 },
} as const;

/** Writes `weights` as `file`, one at a time. @throws WeightOverflowError or DiskWriteError; then there is no file, or the old one */
export function writeWeights(weights: readonly StoredWeight[], file: string, dtype: WeightDtype): void {
  const stored = DTYPES[dtype];
  const tensors = weights.map(({ weight, name, transposed }) => {
    const shape = transposed ? [...weight.shape].reverse() : weight.shape;
    const data = () => {
      let values: Float32Array = new Float32Array();
      // Not as the result of `tidy`, which would look for tensors among its elements, one by one.
      tf.tidy(() => {
        values = (transposed ? weight.read().transpose() : weight.read()).dataSync<'float32'>();
      });
      if (stored.encode === null) return values;
      const bits = new Uint16Array(values.length);
      const overflow = stored.encode(values, bits);
      if (overflow < 0) return bits;
      throw new WeightOverflowError(file, name, dtype, values[overflow] ?? NaN);
    };
    return [name, { dtype: stored.dtype, shape: shape as number[], data }] as const;
  });
  writeSafetensors(file, Object.fromEntries(tensors), { format: 'pt' });
}

/** Draws every matrix of `model` from a normal distribution. */
export function initializeWeights(model: tf.LayersModel, standardDeviation: number, seed: number): void {
  model.weights.forEach((weight, i) => {
    if (weight.shape.length !== 2) return;
    const shape = weight.shape as [number, number];
    // A stream of its own for each weight.
    const drawn = tf.randomNormal(
      shape,
      0,
      standardDeviation,
      'float32',
      seed * model.weights.length + i + 1,
    );
    weight.write(drawn);
    drawn.dispose();
  });
}

/** Every weight of `model`. What follows the last slash of a weight's name is what Hugging Face calls it, relative to the base model. */
export function storedWeights(
  model: tf.LayersModel,
  { prefix, headName, mapLayout }: Architecture,
): StoredWeight[] {
  const kernels = new Set(
    findWeightedLayers(model).flatMap(({ layer }) => (layer instanceof Linear ? [layer.kernel] : [])),
  );
  return model.weights.map((weight) => {
    const name = localName(weight);
    return {
      weight,
      name: name.startsWith(`${headName}.`) ? name : prefix + name,
      // The head is torch's linear layer, whatever the other maps are.
      transposed: kernels.has(weight) && (mapLayout === 'outputs first' || name.startsWith(`${headName}.`)),
    };
  });
}
