/** Where in a run's directory everything lies. */
import path from 'node:path';

/** The store that `accumulate` sums into. */
export const ACCUMULATED = 'accumulated';

/** The store of a pass over a frozen model. */
export const STATIC = 'static';

export const runPaths = {
  store: (run: string, name: string) => path.join(run, 'train', name),
  stores: (run: string) => path.join(run, 'train'),
  trainingOrder: (run: string) => path.join(run, 'train', 'training_order.log'),
  normalizer: (run: string) => path.join(run, 'normalizer.safetensors'),
  model: (run: string) => path.join(run, 'model'),
  checkpoint: (run: string) => path.join(run, 'checkpoint.safetensors'),
  config: (run: string) => path.join(run, 'config.yaml'),
  examples: (run: string) => path.join(run, 'examples.jsonl'),
};

/** The name of the store that holds the rows of the store `name`, preconditioned. */
export function preconditionedStore(name: string): string {
  return `${name}.preconditioned`;
}

/** The name of an epoch's store. */
export function epochStore(epoch: number): string {
  return `epoch_${epoch}`;
}

/** The epoch whose store has this name; undefined for a store that is of no one epoch. */
export function epochOfStore(name: string): number | undefined {
  const epoch = /^epoch_(\d+)$/.exec(name)?.[1];
  return epoch === undefined ? undefined : Number(epoch);
}
