/** Between a model's weights and Hugging Face's names and layouts for them. */
import * as tf from '@tensorflow/tfjs';
import { findWeightedLayers } from '../capture/trained-layers';
import { localName } from '../layers/weight';
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
