/** What a benchmark compares: ways of training the same model on the same batches. */
import tf = require('@tensorflow/tfjs');
import type { Normalizer, RunOptions } from '../../callbacks';
import { sparseCrossEntropy, type CrossEntropy } from '../../lib/losses';
import { composedCrossEntropy } from './causal-lm';

export interface Variant {
  readonly name: string;
  readonly description: string;
  /** Loss of the language model's tokens, which is part of the model and so chosen when it is built. */
  readonly crossEntropy: CrossEntropy;
  readonly hostFixes: boolean;
  /** What to collect; absent where nothing is. */
  readonly collect?: Omit<RunOptions, 'path'>;
}

/** Ratios are to this variant: the step a collector has to be cheap beside is the fast one. */
export const BASELINE = 'host-fixes';

const fast = { crossEntropy: sparseCrossEntropy, hostFixes: true };
const collect = { projectionDim: 16, trackOrder: true, index: false };

/** Adafactor's means, all one: what dividing by them costs does not depend on what they are. */
const ones: Normalizer = {
  name: 'adafactor',
  factoredMoments: ({ gradientShape: [outputs, inputs] }) => ({
    rows: tf.ones<tf.Rank.R1>([outputs]),
    columns: tf.ones<tf.Rank.R1>([inputs]),
  }),
};

export const VARIANTS: readonly Variant[] = [
  { name: 'untouched', description: 'tfjs as it is', crossEntropy: composedCrossEntropy, hostFixes: false },
  { name: BASELINE, description: 'applyHostFixes() and sparseCrossEntropy', ...fast },
  {
    name: 'collect',
    description: 'the same with GradientCollectorCallback, projectionDim 16',
    ...fast,
    collect,
  },
  {
    name: 'collect-adafactor',
    description: 'the same divided by factored moments',
    ...fast,
    collect: { ...collect, normalizer: ones },
  },
  {
    name: 'collect-state',
    description: 'divided by the optimizer’s moments, with useOptimizerState',
    ...fast,
    collect: { ...collect, useOptimizerState: true },
  },
];
