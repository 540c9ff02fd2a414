/** Adam divides by sqrt(v̂) + ε, with v̂ = v / (1 - β₂ᵗ). Kingma & Ba, 2015, algorithm 1. */
import type * as tf from '@tensorflow/tfjs';
import { OptimizerNormalizer, type Accumulators } from './optimizer-normalizer';

/** The part of `tf.AdamOptimizer` that is read. */
interface AdamState {
  readonly beta2: number;
  readonly epsilon: number;
  readonly iterations: number;
  readonly accumulatedSecondMoment: Accumulators;
}

export class AdamNormalizer extends OptimizerNormalizer<AdamState> {
  readonly name = 'adam';
  readonly epsilon: number;

  /** @throws OptimizerStateError if the optimizer is not Adam. */
  constructor(optimizer: tf.Optimizer) {
    super(optimizer, 'Adam');
    this.epsilon = this.state.epsilon;
  }

  /** Of v; β₂ᵗ is taken in double precision. */
  protected override correction(): number {
    return 1 / (1 - this.state.beta2 ** this.state.iterations);
  }

  protected momentOf(weight: tf.Variable): tf.Tensor {
    return this.find(this.state.accumulatedSecondMoment, weight, 'v');
  }
}
