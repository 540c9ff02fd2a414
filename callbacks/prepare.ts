/** Makes a model report, step by step, what its training sees. */
import type * as tf from '@tensorflow/tfjs';
import { reportExampleIds, restoreTraining } from '../lib/capture/training';

/**
 * Prepares `model.fit` and `model.fitDataset` for a `GradientCollectorCallback`: from then on each training step knows
 * the ids of its examples, in the order of the data set and whatever the shuffling; see `withExampleIds` for data sets.
 * Nothing else about training changes. Idempotent. Returns the model, which must have its last layer.
 */
export function prepareForGradientCollection<M extends tf.LayersModel>(model: M): M {
  reportExampleIds(model);
  return model;
}

/** Undoes `prepareForGradientCollection`. Returns the model. */
export function undoGradientCollection<M extends tf.LayersModel>(model: M): M {
  restoreTraining(model);
  return model;
}
