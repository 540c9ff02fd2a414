/**
 * Adadelta multiplies by sqrt(d + ε) / sqrt(v + ε), with v and d running means of squared gradients and of squared
 * updates. tfjs takes both from before the step; as they are after it, they are those that divide the next. Zeiler, 2012.
 */
import type * as tf from '@tensorflow/tfjs';
import { OptimizerNormalizer, type Accumulators } from './optimizer-normalizer';

/** The part of `tf.AdadeltaOptimizer` that is read. */
interface AdadeltaState {
  readonly epsilon: number;
  readonly accumulatedGrads: Accumulators;
  readonly accumulatedUpdates: Accumulators;
}

export class AdadeltaNormalizer extends OptimizerNormalizer<AdadeltaState> {
  readonly name = 'adadelta';
  /** None beside the root: the optimizer's is under it. */
  readonly epsilon = 0;

  /** @throws OptimizerStateError if the optimizer is not Adadelta. */
  constructor(optimizer: tf.Optimizer) {
    super(optimizer, 'Adadelta');
  }

  /** (v + ε) / (d + ε). */
  protected momentOf(weight: tf.Variable): tf.Tensor {
    const { epsilon, accumulatedGrads, accumulatedUpdates } = this.state;
    const gradients = this.find(accumulatedGrads, weight, 'accum_grad').add(epsilon);
    return gradients.div(this.find(accumulatedUpdates, weight, 'accum_var').add(epsilon));
  }
}
