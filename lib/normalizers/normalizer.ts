/** Second moments of gradients, by which per-example gradients are divided before they are projected. */
import type * as tf from '@tensorflow/tfjs';
import type { AttributedLayer } from '../capture/attributed-layers';

export interface Normalizer {
  readonly name: string;
  /**
   * What to multiply a layer's gradient by, element by element: float32 [O, I]. Runs inside the caller's `tf.tidy`.
   */
  scale(layer: AttributedLayer): tf.Tensor2D;
}
