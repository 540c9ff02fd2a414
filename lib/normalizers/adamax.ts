/** Adamax divides by u + ε, with u the decaying maximum of |g|, which needs no correction. Kingma & Ba, 2015, algorithm 2. */
import type * as tf from '@tensorflow/tfjs';
import { OptimizerNormalizer, type Accumulators } from './optimizer-normalizer';

/** The part of `tf.AdamaxOptimizer` that is read. */
interface AdamaxState {
  readonly epsilon: number;
  readonly accumulatedWeightedInfNorm: Accumulators;
}

export class AdamaxNormalizer extends OptimizerNormalizer<AdamaxState> {
  readonly name = 'adamax';
  readonly epsilon: number;

  /** @throws OptimizerStateError if the optimizer is not Adamax. */
  constructor(optimizer: tf.Optimizer) {
    super(optimizer, 'Adamax');
    this.epsilon = this.state.epsilon;
  }

  /** u², the root of which is u. */
  protected momentOf(weight: tf.Variable): tf.Tensor {
    return this.find(this.state.accumulatedWeightedInfNorm, weight, 'v').square();
  }
}
