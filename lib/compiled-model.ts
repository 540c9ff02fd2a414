/** What a compiled model trains with, some of which tfjs's types keep private. */
import tf = require('@tensorflow/tfjs');
import { UncompiledModelError } from './errors';

/** Inputs and targets of N examples, each a tensor [N, ...] or one for each of the model's inputs or outputs. */
export interface Batch {
  readonly xs: tf.Tensor | tf.Tensor[];
  readonly ys: tf.Tensor | tf.Tensor[];
}

/** Targets and outputs [N, ...] to losses [N] or [N, ...]. */
type LossFunction = (targets: tf.Tensor, outputs: tf.Tensor) => tf.Tensor;

/** The model that does a model's training: a `tf.Sequential` hands it to one inside. */
export function trainedModel(model: tf.LayersModel): tf.LayersModel {
  return model instanceof tf.Sequential ? (model as unknown as { model: tf.LayersModel }).model : model;
}

/**
 * The model's own loss of a batch, outside training: as `fit` computes it, without regularisation penalties.
 * A scalar, the mean over examples. @throws UncompiledModelError
 */
export function batchLoss(model: tf.LayersModel, { xs, ys }: Batch): tf.Scalar {
  // A `tf.Sequential` has no model inside until it is compiled.
  const trained = trainedModel(model) as unknown as { lossFunctions?: LossFunction[] } | undefined;
  const lossFunctions = trained?.lossFunctions;
  if (lossFunctions === undefined) throw new UncompiledModelError();
  return tf.tidy(() => {
    const outputs = [model.apply(xs, { training: false })].flat() as tf.Tensor[];
    const targets = [ys].flat();
    const losses = lossFunctions.map((loss, i) => loss(targets[i] as tf.Tensor, outputs[i] as tf.Tensor));
    return tf.addN<tf.Scalar>(losses.map((loss) => loss.mean()));
  });
}

/** One example of a batch, as a batch of one. The caller disposes its tensors. */
export function exampleOf({ xs, ys }: Batch, example: number): Batch {
  const slice = (tensors: tf.Tensor | tf.Tensor[]) =>
    Array.isArray(tensors) ? tensors.map((tensor) => tensor.slice(example, 1)) : tensors.slice(example, 1);
  return { xs: slice(xs), ys: slice(ys) };
}

/** The names of a model's losses in the order of its outputs; null for one given as a function. */
export function lossNames({ loss, outputNames }: tf.LayersModel): (string | null)[] {
  return outputNames.map((output, i) => {
    const own =
      typeof loss === 'object' ? ((loss as Record<string, unknown>)[output] ?? (loss as unknown[])[i]) : loss;
    return typeof own === 'string' ? own : null;
  });
}
