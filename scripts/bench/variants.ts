/** What a benchmark compares: ways of training the same model on the same batches. */
import type * as tf from '@tensorflow/tfjs';
import { applyHostFixes } from '../../lib/host-fixes';
import { sparseCrossEntropy, type CrossEntropy } from '../../lib/losses';
import { composedCrossEntropy } from './causal-lm';
import type { BenchModel } from './models';

export interface Variant {
  readonly name: string;
  readonly description: string;
  /** Loss of the language model's tokens, which is part of the model and so chosen when it is built. */
  readonly crossEntropy: CrossEntropy;
  /** Checks the variant's results on a model of its own, before anything is timed; throws when they are wrong. */
  verify?(bench: BenchModel): Promise<void>;
  /** Readies process and model for one call of `fit`. Not timed, and undone after each call. */
  prepare(bench: BenchModel): Prepared | Promise<Prepared>;
}

/** One prepared call of `fit`. */
export interface Prepared {
  /** Given to `fit`; their time counts. */
  readonly callbacks: tf.CustomCallback[];
  /** Rows the call has written to a gradient store, read after it; absent where none is written. */
  rows?(): number;
  /** Puts process and model back as they were. */
  undo(): void | Promise<void>;
}

/** Ratios are to this variant: the step a collector has to be cheap beside is the fast one. */
export const BASELINE = 'host-fixes';

export const VARIANTS: readonly Variant[] = [
  {
    name: 'untouched',
    description: 'tfjs as it is',
    crossEntropy: composedCrossEntropy,
    prepare: () => ({ callbacks: [], undo: () => undefined }),
  },
  {
    name: BASELINE,
    description: 'applyHostFixes() and sparseCrossEntropy',
    crossEntropy: sparseCrossEntropy,
    prepare: () => ({ callbacks: [], undo: applyHostFixes() }),
  },
];
