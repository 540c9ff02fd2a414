/** Makes a model report, step by step, what its training sees. */
import type * as tf from '@tensorflow/tfjs';
import { reportExampleIds, restoreFit } from '../lib/capture/example-ids';

/**
 * Prepares `model.fit` for a `GradientCollectorCallback`: from then on each training step knows the ids of its
 * examples, in the order of the data set and whatever the shuffling. Nothing else about training changes.
 * Idempotent. Returns the model.
 */
export function prepareForGradientCollection<M extends tf.LayersModel>(model: M): M {
  reportExampleIds(model);
  return model;
}

/** Undoes `prepareForGradientCollection`. Returns the model. */
export function undoGradientCollection<M extends tf.LayersModel>(model: M): M {
  restoreFit(model);
  return model;
}
