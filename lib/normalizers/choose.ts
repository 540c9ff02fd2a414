/** Which normalizer a run of training has: by the optimizer's class, by name, or one that is given. */
import type * as tf from '@tensorflow/tfjs';
import { InvalidOptionError, OptimizerStateError } from '../errors';
import { AdadeltaNormalizer } from './adadelta';
import { AdagradNormalizer } from './adagrad';
import { AdamNormalizer } from './adam';
import { AdamaxNormalizer } from './adamax';
import type { Normalizer } from './normalizer';
import { RmspropNormalizer } from './rmsprop';

/** Of the optimizers that keep second moments. */
const BY_NAME = {
  adam: AdamNormalizer,
  adamax: AdamaxNormalizer,
  rmsprop: RmspropNormalizer,
  adagrad: AdagradNormalizer,
  adadelta: AdadeltaNormalizer,
} as const;

/** Optimizers that divide gradients by nothing. */
const WITHOUT_MOMENTS = ['SGD', 'Momentum'];

/** A normalizer that reads the state of the optimizer of that name, or none. */
export type NormalizerName = 'none' | keyof typeof BY_NAME;

export interface NormalizerChoice {
  /** Whether to divide gradients as the optimizer does. Under SGD and momentum that means not at all. Default: false. */
  readonly useOptimizerState?: boolean;
  /**
   * What to divide gradients by: the state of the optimizer of this name, which must be the one that trains, or second
   * moments from elsewhere. Default: nothing, or with `useOptimizerState` what the optimizer divides by.
   */
  readonly normalizer?: NormalizerName | Normalizer;
}

/** What gradients are divided by, and what the run's manifest calls it. */
export interface ChosenNormalizer {
  readonly name: string;
  /** Null where they are not divided. */
  readonly normalizer: Normalizer | null;
}

/** @throws InvalidOptionError, and OptimizerStateError where the optimizer's state cannot be read */
export function chooseNormalizer(
  { normalizer, useOptimizerState = false }: NormalizerChoice,
  optimizer: tf.Optimizer | undefined,
): ChosenNormalizer {
  if (normalizer === undefined) return useOptimizerState ? byClass(optimizer) : NONE;
  if (useOptimizerState && (normalizer === 'none' || typeof normalizer === 'object')) {
    const given = typeof normalizer === 'object' ? normalizer.name : normalizer;
    throw new InvalidOptionError('normalizer', given, "the optimizer's where `useOptimizerState` is set");
  }
  if (typeof normalizer === 'object') return { name: normalizer.name, normalizer };
  return normalizer === 'none' ? NONE : byName(normalizer, optimizer);
}

const NONE: ChosenNormalizer = { name: 'none', normalizer: null };

function byName(name: keyof typeof BY_NAME, optimizer: tf.Optimizer | undefined): ChosenNormalizer {
  if (!Object.hasOwn(BY_NAME, name)) {
    const names = ['none', ...Object.keys(BY_NAME)].map((known) => `'${known}'`).join(', ');
    throw new InvalidOptionError('normalizer', name, `one of ${names}, or a normalizer itself`);
  }
  return { name, normalizer: new BY_NAME[name](trainingOptimizer(optimizer)) };
}

function byClass(optimizer: tf.Optimizer | undefined): ChosenNormalizer {
  const known = trainingOptimizer(optimizer);
  const className = known.getClassName();
  if (WITHOUT_MOMENTS.includes(className)) return { name: 'identity', normalizer: null };
  const name = className.toLowerCase();
  if (Object.hasOwn(BY_NAME, name)) return byName(name as keyof typeof BY_NAME, known);
  const readable = [...Object.keys(BY_NAME), ...WITHOUT_MOMENTS].join(', ');
  throw new OptimizerStateError(`the optimizer is ${className}, and those that are known are ${readable}`);
}

/** @throws OptimizerStateError if there is none */
export function trainingOptimizer(optimizer: tf.Optimizer | undefined): tf.Optimizer {
  if (optimizer !== undefined) return optimizer;
  throw new OptimizerStateError('the model is not compiled, and no `optimizer` is given');
}
