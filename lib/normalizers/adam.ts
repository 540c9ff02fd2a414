/** Normalisation by the second moments that a tfjs Adam optimizer holds: G / (sqrt(v̂) + ε). Kingma & Ba, 2015. */
import * as tf from '@tensorflow/tfjs';
import { OptimizerStateError } from '../errors';
import type { AttributedPart } from '../capture/attributed-layers';
import type { KernelMoments } from '../../kernels/project-normalized';
import type { ElementNormalizer } from './normalizer';

/** The part of `tf.AdamOptimizer` that is read; protected in tfjs's types. */
interface AdamState {
  readonly beta2: number;
  readonly epsilon: number;
  readonly iterations: number;
  readonly accumulatedSecondMoment: readonly { originalName: string; variable: tf.Variable }[];
}

/**
 * Reads the optimizer's state at the moment of each call, so that rows made after a step's update are divided by
 * v̂ = v / (1 - β₂ᵗ) of that update, the first step's like the last's. β₂ᵗ is taken in double precision.
 */
export class AdamNormalizer implements ElementNormalizer {
  readonly name = 'adam';
  private readonly state: AdamState;

  /** @throws OptimizerStateError if the optimizer is not Adam. */
  constructor(optimizer: tf.Optimizer) {
    if (optimizer.getClassName() !== 'Adam') {
      throw new OptimizerStateError(
        `the optimizer is ${optimizer.getClassName()}, and only Adam's state can be read`,
      );
    }
    this.state = optimizer as unknown as AdamState;
  }

  get epsilon(): number {
    return this.state.epsilon;
  }

  /** v̂, float32 [O, I]. @throws OptimizerStateError before the first update. */
  secondMoments(part: AttributedPart): tf.Tensor2D {
    return part.asMatrix(this.moments(part)).mul(this.correction);
  }

  /** v as the optimizer keeps it, and 1 / (1 - β₂ᵗ). @throws OptimizerStateError before the first update. */
  kernelMoments(part: AttributedPart): Omit<KernelMoments, 'epsilon'> | null {
    const kernel = part.asKernel?.(this.moments(part));
    return kernel === undefined ? null : { ...kernel, correction: this.correction };
  }

  private get correction(): number {
    return 1 / (1 - this.state.beta2 ** this.state.iterations);
  }

  private moments({ weights }: AttributedPart): tf.Variable[] {
    return weights.map((weight) => this.secondMoment(weight));
  }

  private secondMoment(weight: tf.Variable): tf.Variable {
    const found = this.state.accumulatedSecondMoment.find(
      ({ originalName }) => originalName === `${weight.name}/v`,
    );
    if (found === undefined) {
      throw new OptimizerStateError(`Adam holds no second moments of weight \`${weight.name}\``);
    }
    return found.variable;
  }
}
