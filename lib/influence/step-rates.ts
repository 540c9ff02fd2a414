/** How far training moved along each example's gradient, from the recorded order of training. */
import { InvalidOptionError, LearningRateError } from '../errors';
import type { Run } from '../run/run';
import { ACCUMULATED, epochStore } from '../run/run-paths';

/**
 * For each example the learning rate times the weight of the example's own loss in its step's loss (one over the batch's
 * size for a mean), summed over the steps of `epoch` that saw it: [examples], zero where none did.
 * @throws LearningRateError if the run did not track its order, or an optimizer did not tell its rate
 */
export function stepRates(run: Run, epoch: number, examples: number): Float64Array {
  const order = run.trainingOrder();
  if (order === undefined) throw new LearningRateError(run.path, 'the order of training was not tracked');
  const rates = new Float64Array(examples);
  for (const batch of order.batches()) {
    if (batch.epoch !== epoch) continue;
    if (batch.learningRate === null)
      throw new LearningRateError(run.path, `the optimizer told no learning rate at step ${batch.step}`);
    for (const example of batch.examples)
      rates[example] = (rates[example] ?? NaN) + batch.learningRate * batch.lossWeight;
  }
  return rates;
}

/** An epoch, and where its rows lie. */
export interface EpochStore {
  readonly epoch: number;
  readonly directory: string;
}

/** The stores of the epochs of `run`, each of gradients as they were. @throws InvalidOptionError if it keeps no such */
export function epochStores(run: Run): EpochStore[] {
  if (run.stores.includes(ACCUMULATED))
    throw new InvalidOptionError('run', run.path, 'one that keeps a store for each epoch, not their sum');
  if (run.manifest.scaledByLearningRate)
    throw new InvalidOptionError(
      'run',
      run.path,
      'one whose rows are not multiplied by learning rates already',
    );
  const stepped = run.manifest.epochs.filter(({ steps }) => steps > 0);
  return stepped.map(({ epoch }) => ({ epoch, directory: run.storeDirectory(epochStore(epoch)) }));
}
