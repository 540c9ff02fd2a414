/** Between a model's weights and Hugging Face's names and layouts for them. */
import path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { findWeightedLayers } from '../capture/trained-layers';
import { CheckpointError } from '../errors';
import { localName } from '../layers/weight';
import { encodeFloat16 } from '../store/float16';
import { writeSafetensors, type SafetensorsTensor } from '../store/safetensors';
import type { Architecture } from './architecture';
import type { Checkpoint } from './checkpoint';
import { Linear } from './layers/linear';

/** A weight, and the tensor it is in a file. */
interface StoredWeight {
  readonly weight: tf.LayerVariable;
  /** With the base model's prefix, which some files leave out. */
  readonly name: string;
  /** Whether the file holds the transpose. */
  readonly transposed: boolean;
}

/** Sets every weight of `model` to its values in `checkpoint`, one at a time. @throws CheckpointError */
export function readWeights(model: tf.LayersModel, architecture: Architecture, checkpoint: Checkpoint): void {
  for (const { weight, name, transposed } of storedWeights(model, architecture)) {
    const bare = name.slice(architecture.prefix.length);
    const found = !checkpoint.has(name) && name.startsWith(architecture.prefix) ? bare : name;
    const shape = weight.shape as number[];
    const storedShape = transposed ? [...shape].reverse() : shape;
    const values = checkpoint.read(checkpoint.has(found) ? found : name, storedShape);
    tf.tidy(() => {
      const stored = tf.tensor(values, storedShape);
      weight.write(transposed ? stored.transpose() : stored);
    });
  }
}

/** Sets the weights of the adapters in `model`, which `checkpoint` holds under `outer` and their names. @throws CheckpointError */
export function readAdapterWeights(model: tf.LayersModel, checkpoint: Checkpoint, outer: string): void {
  for (const weight of model.trainableWeights) {
    const [inputs, outputs] = weight.shape as [number, number];
    const values = checkpoint.read(outer + localName(weight), [outputs, inputs]);
    tf.tidy(() => {
      weight.write(tf.tensor2d(values, [outputs, inputs]).transpose());
    });
  }
}

/** How weights are written, by Hugging Face's names. */
export type WeightDtype = 'float32' | 'float16' | 'bfloat16';

/** Writes every weight of `model` to `model.safetensors` in `directory`. @throws CheckpointError, DiskWriteError */
export function writeWeights(
  model: tf.LayersModel,
  architecture: Architecture,
  directory: string,
  dtype: WeightDtype,
): void {
  const file = path.join(directory, 'model.safetensors');
  const tensors = storedWeights(model, architecture).map(({ weight, name, transposed }) => {
    const [shape, values] = tf.tidy(() => {
      const stored = transposed ? weight.read().transpose() : weight.read();
      return [stored.shape, stored.dataSync<'float32'>()];
    });
    return [name, encode(file, name, shape, values, dtype)] as const;
  });
  writeSafetensors(file, Object.fromEntries(tensors), { format: 'pt' });
}

function encode(
  file: string,
  name: string,
  shape: readonly number[],
  values: Float32Array,
  dtype: WeightDtype,
): SafetensorsTensor {
  if (dtype === 'float32') return { dtype: 'F32', shape, data: values };
  const data = new Uint16Array(values.length);
  if (dtype === 'float16') {
    const overflow = encodeFloat16(values, data);
    if (overflow < 0) return { dtype: 'F16', shape, data };
    throw new CheckpointError(file, name, 'within float16, at most 65504', String(values[overflow]));
  }
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  // The upper half, rounded to nearest, ties to even; what is not a number stays none.
  words.forEach((word, i) => {
    data[i] = Number.isNaN(values[i]) ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  });
  return { dtype: 'BF16', shape, data };
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

/** What follows the last slash of a weight's name is what Hugging Face calls it, relative to the base model. */
function storedWeights(model: tf.LayersModel, { prefix, headName, mapLayout }: Architecture): StoredWeight[] {
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
