/**
 * RMSProp divides by sqrt(v + ε); centered, tfjs divides by sqrt(v - (m² + ε)), which takes ε off where others add it.
 * Neither v nor m is corrected for having begun at zero. Tieleman & Hinton, 2012; Graves, 2013, section 4.2.
 */
import type * as tf from '@tensorflow/tfjs';
import { OptimizerNormalizer, type Accumulators } from './optimizer-normalizer';

/** The part of `tf.RMSPropOptimizer` that is read. */
interface RmspropState {
  readonly epsilon: number;
  readonly centered: boolean;
  readonly accumulatedMeanSquares: Accumulators;
  readonly accumulatedMeanGrads: Accumulators;
}

export class RmspropNormalizer extends OptimizerNormalizer<RmspropState> {
  readonly name = 'rmsprop';
  /** None beside the root: the optimizer's is under it. */
  readonly epsilon = 0;

  /** @throws OptimizerStateError if the optimizer is not RMSProp. */
  constructor(optimizer: tf.Optimizer) {
    super(optimizer, 'RMSProp');
  }

  /** Where a centered one is negative, the optimizer has made the weight NaN, and the gradients become so too. */
  protected momentOf(weight: tf.Variable): tf.Tensor {
    const { epsilon, centered, accumulatedMeanSquares, accumulatedMeanGrads } = this.state;
    const squares = this.find(accumulatedMeanSquares, weight, 'rms');
    if (!centered) return squares.add(epsilon);
    return squares.sub(this.find(accumulatedMeanGrads, weight, 'mg').square().add(epsilon));
  }
}
