/** A training as it is between two steps, in one file: weights, the optimizer's state, and what the caller tells of it. */
import tf = require('@tensorflow/tfjs');
import { localName, trainableVariables } from '../layers/weight';
import { SafetensorsFile, writeSafetensors, type WritableTensor } from '../store/safetensors';
import type { AdamW } from './adamw';

/** What is kept: a compiled model and what trains it. */
export interface Training {
  readonly model: tf.LayersModel;
  readonly optimizer: AdamW;
}

const POWERS = ['beta1Power', 'beta2Power'] as const;
const MOMENTS = { first: 'm', second: 'v' } as const;

/**
 * Writes `file` atomically, one tensor at a time: each weight under the name that its layer gives it, its moments under that
 * and `/m` and `/v`, the powers of beta; `notes` as metadata. @throws DiskWriteError
 */
export function saveTraining(
  file: string,
  { model, optimizer }: Training,
  notes: Readonly<Record<string, string>>,
): void {
  const { steps, powers, moments } = optimizer.state;
  const tensors: Record<string, WritableTensor> = {};
  const add = (name: string, tensor: tf.Tensor | tf.LayerVariable) => {
    const data = () => ('read' in tensor ? tensor.read() : tensor).dataSync<'float32'>();
    tensors[name] = { dtype: 'F32', shape: tensor.shape as number[], data };
  };
  for (const weight of model.weights) add(localName(weight), weight);
  moments.forEach((moment, i) => {
    const name = trainedName(model, i);
    add(`${name}/${MOMENTS.first}`, moment.first);
    add(`${name}/${MOMENTS.second}`, moment.second);
  });
  POWERS.forEach((name, i) => {
    add(name, powers[i] as tf.Tensor);
  });
  writeSafetensors(file, tensors, { ...notes, steps: String(steps) });
}

/** What `file` was told of the training, before any of it is read. @throws InvalidSafetensorsError */
export function readNotes(file: string): Readonly<Record<string, string>> {
  const opened = SafetensorsFile.open(file);
  opened.close();
  return opened.metadata;
}

/** Sets a model of the same shape, and its optimizer, to what `file` holds, to the bit. @throws InvalidSafetensorsError */
export function restoreTraining(file: string, { model, optimizer }: Training): void {
  const opened = SafetensorsFile.open(file);
  try {
    const read = (name: string) => {
      const { data, shape } = opened.read(name);
      return tf.tensor(data as Float32Array, [...shape]);
    };
    tf.tidy(() => {
      for (const weight of model.weights) weight.write(read(localName(weight)));
    });
    const steps = Number(opened.metadata.steps);
    const trained = steps === 0 ? [] : trainableVariables(model);
    tf.tidy(() => {
      const moments = trained.map((_, i) => {
        const name = trainedName(model, i);
        return { first: read(`${name}/${MOMENTS.first}`), second: read(`${name}/${MOMENTS.second}`) };
      });
      optimizer.restore({ steps, powers: [read(POWERS[0]), read(POWERS[1])], moments }, trained);
    });
  } finally {
    opened.close();
  }
}

function trainedName(model: tf.LayersModel, i: number): string {
  return localName(model.trainableWeights[i] as tf.LayerVariable);
}
