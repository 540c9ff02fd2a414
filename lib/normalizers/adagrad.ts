/** Adagrad divides by sqrt(a + ε), with a the sum of squared gradients and what it began with. Duchi et al., 2011. */
import tf = require('@tensorflow/tfjs');
import { OptimizerNormalizer, type Accumulators } from './optimizer-normalizer';

/** The part of `tf.AdagradOptimizer` that is read. */
interface AdagradState {
  readonly accumulatedGrads: Accumulators;
}

export class AdagradNormalizer extends OptimizerNormalizer<AdagradState> {
  readonly name = 'adagrad';
  /** None beside the root: the backend's is under it. */
  readonly epsilon = 0;

  /** @throws OptimizerStateError if the optimizer is not Adagrad. */
  constructor(optimizer: tf.Optimizer) {
    super(optimizer, 'Adagrad');
  }

  protected momentOf(weight: tf.Variable): tf.Tensor {
    return this.find(this.state.accumulatedGrads, weight, 'accumulator').add(tf.backend().epsilon());
  }
}
