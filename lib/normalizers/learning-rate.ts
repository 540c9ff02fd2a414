/** The learning rate of an optimizer's last step. */
import type * as tf from '@tensorflow/tfjs';
import { OptimizerStateError } from '../errors';

/** What is read of tfjs's optimizers; protected there. */
interface RateState {
  readonly learningRate?: number;
  /** Adamax's alone: by how much of the rate each step's divisor grows. */
  readonly decay?: number;
  readonly iterations: number;
}

/**
 * By what the optimizer multiplied the direction of its last step, if the rate has not been set since. Adamax divides its
 * rate by 1 + decay t, with t the steps before. @throws OptimizerStateError if the optimizer names no rate.
 */
export function lastLearningRate(optimizer: tf.Optimizer): number {
  const { learningRate, decay = 0, iterations } = optimizer as unknown as RateState;
  if (learningRate === undefined || !Number.isFinite(learningRate)) {
    throw new OptimizerStateError(`${optimizer.getClassName()} names no learning rate`);
  }
  const decays = optimizer.getClassName() === 'Adamax';
  return decays ? learningRate / (1 + Math.max(0, iterations - 1) * decay) : learningRate;
}

/** The same, or null where there is no optimizer or it names no rate. */
export function knownLearningRate(optimizer: tf.Optimizer | undefined): number | null {
  const { learningRate } = (optimizer ?? {}) as Partial<RateState>;
  return optimizer === undefined || learningRate === undefined ? null : lastLearningRate(optimizer);
}
