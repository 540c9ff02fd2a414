/** What normalizers share that read the state of a tfjs optimizer. */
import type * as tf from '@tensorflow/tfjs';
import type { KernelMoments } from '../../kernels/project-normalized';
import type { AttributedPart } from '../capture/attributed-layers';
import { OptimizerStateError } from '../errors';
import type { ElementNormalizer } from './normalizer';

/** One of the tensors that an optimizer keeps for each weight. */
export type Accumulators = readonly { originalName: string; variable: tf.Variable }[];

/**
 * Reads the optimizer's state at the moment of each call. Rows made after a step's update are therefore divided by what
 * that update left, the first step's like the last's. A file of a subclass has the formula of its optimizer: V and ε such
 * that G / (sqrt(V) + ε) is what the optimizer adds to a weight for gradient G, per unit of learning rate and momentum aside.
 */
export abstract class OptimizerNormalizer<State> implements ElementNormalizer {
  abstract readonly name: string;
  protected readonly state: State;

  /** @throws OptimizerStateError if the optimizer is not of this class. */
  constructor(optimizer: tf.Optimizer, className: string) {
    if (optimizer.getClassName() !== className) {
      throw new OptimizerStateError(
        `the optimizer is ${optimizer.getClassName()}, and this normalizer reads the state of ${className}`,
      );
    }
    // The fields that are read are protected in tfjs's types.
    this.state = optimizer as unknown as State;
  }

  abstract readonly epsilon: number;

  /** V, float32 [O, I]. @throws OptimizerStateError before the first update. */
  secondMoments(part: AttributedPart): tf.Tensor2D {
    const moments = part.asMatrix(this.momentsOf(part));
    const correction = this.correction();
    return correction === 1 ? moments : moments.mul(correction);
  }

  /** V in the layout in which the optimizer keeps it. @throws OptimizerStateError before the first update. */
  kernelMoments(part: AttributedPart): Omit<KernelMoments, 'epsilon'> | null {
    if (part.asKernel === undefined) return null;
    return { ...part.asKernel(this.momentsOf(part)), correction: this.correction() };
  }

  /** V of one weight, in its shape, but for the correction. Runs inside the caller's `tf.tidy`. */
  protected abstract momentOf(weight: tf.Variable): tf.Tensor;

  /** What is still to be multiplied by. */
  protected correction(): number {
    return 1;
  }

  /** What the optimizer keeps of a weight. @throws OptimizerStateError before the first update. */
  protected find(accumulators: Accumulators, { name }: tf.Variable, suffix: string): tf.Variable {
    const found = accumulators.find(({ originalName }) => originalName === `${name}/${suffix}`);
    if (found !== undefined) return found.variable;
    throw new OptimizerStateError(`${this.name} holds no second moments of weight \`${name}\``);
  }

  private momentsOf({ weights }: AttributedPart): tf.Tensor[] {
    return weights.map((weight) => this.momentOf(weight));
  }
}
