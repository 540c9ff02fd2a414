/** Adam with weight decay apart from the gradient. Loshchilov & Hutter, Decoupled Weight Decay Regularization, 2019, algorithm 2. */
import tf = require('@tensorflow/tfjs');

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

/** Both moments of one weight, in its shape. */
export interface Moments {
  readonly first: tf.Tensor;
  readonly second: tf.Tensor;
}

/** What steps to come depend on, beside the weights. */
export interface AdamWState {
  /** How many there were. */
  readonly steps: number;
  /** Both betas' powers, which rounding at each step makes others than powers taken at once. */
  readonly powers: readonly [tf.Tensor, tf.Tensor];
  /** Of each weight that is trained, in the order in which they are; none before the first step. */
  readonly moments: readonly Moments[];
}

/** What Adam keeps of a weight, under the weight's name and a suffix. */
interface Accumulated {
  originalName: string;
  variable: tf.Variable;
}

/** The fields that hold the state, which tfjs's types hide. */
interface AdamFields {
  iterations_: number;
  readonly accBeta1: tf.Variable;
  readonly accBeta2: tf.Variable;
  accumulatedFirstMoment: Accumulated[];
  accumulatedSecondMoment: Accumulated[];
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

  /** Its tensors stay the optimizer's, and change with the next step. */
  get state(): AdamWState {
    const { accBeta1, accBeta2, ...fields } = this.fields;
    const moments = fields.accumulatedFirstMoment.map(({ variable: first }, i) => {
      const { variable: second } = fields.accumulatedSecondMoment[i] as Accumulated;
      return { first, second };
    });
    return { steps: this.iterations, powers: [accBeta1, accBeta2], moments };
  }

  /** Goes on from `state`, of an optimizer that trained `weights` in this order. The caller disposes the state's tensors. */
  restore({ steps, powers, moments }: AdamWState, weights: readonly tf.Variable[]): void {
    const { fields } = this;
    fields.iterations_ = steps;
    fields.accBeta1.assign(powers[0]);
    fields.accBeta2.assign(powers[1]);
    const accumulated = (which: keyof Moments, suffix: string) =>
      moments.map((moment, i) => ({
        originalName: `${weights[i]?.name ?? ''}/${suffix}`,
        variable: moment[which].variable(false),
      }));
    tf.dispose(
      [fields.accumulatedFirstMoment, fields.accumulatedSecondMoment].flat().map((each) => each.variable),
    );
    fields.accumulatedFirstMoment = accumulated('first', 'm');
    fields.accumulatedSecondMoment = accumulated('second', 'v');
  }

  private get fields(): AdamFields {
    return this as unknown as AdamFields;
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
