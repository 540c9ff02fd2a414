import type * as tf from '@tensorflow/tfjs';

/** A batch of a pass over a frozen model: which examples it holds, and how to compute their losses. */
export interface LossBatch {
  /** Rows of the store, that is, examples in data-set order: [N]. */
  readonly ids: Int32Array;
  /** The sum of the examples' own losses, computed by a forward pass of the model. */
  readonly loss: () => tf.Scalar;
  /** Frees the batch's tensors. */
  readonly dispose: () => void;
}
