/** Adam with weight decay apart from the gradient. Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2. */
import * as tf from '@tensorflow/tfjs';

export interface AdamWOptions {
  /** The rate of a step, from 0. */
  readonly learningRate: (step: number) => number;
  /** By which share of a matrix, times the rate, each step shrinks it; biases and scales are left alone. */
  readonly weightDecay: number;
  /** Default: 0.9. */
  readonly beta1?: number;
  /** Default: 0.999. */
  readonly beta2?: number;
  /** Default: 1e-8. */
  readonly epsilon?: number;
}

type NamedGradients = Parameters<tf.AdamOptimizer['applyGradients']>[0];

/**
 * Its second moments are Adam's and it goes by that name, so what reads an Adam's state reads this. After a step
 * `learningRate` is what that step had.
 */
export class AdamW extends tf.AdamOptimizer {
  private readonly rate: (step: number) => number;
  private readonly weightDecay: number;

  constructor({ learningRate, weightDecay, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamWOptions) {
    super(learningRate(0), beta1, beta2, epsilon);
    this.rate = learningRate;
    this.weightDecay = weightDecay;
  }

  override applyGradients(gradients: NamedGradients): void {
    this.learningRate = this.rate(this.iterations);
    if (this.weightDecay > 0) this.decay(gradients);
    super.applyGradients(gradients);
  }

  private decay(gradients: NamedGradients): void {
    const kept = 1 - this.learningRate * this.weightDecay;
    const names = Array.isArray(gradients) ? gradients.map(({ name }) => name) : Object.keys(gradients);
    for (const name of names) {
      const weight = tf.engine().registeredVariables[name];
      if (weight === undefined || weight.rank < 2) continue;
      tf.tidy(() => {
        weight.assign(tf.mul(weight, kept));
      });
    }
  }
}
