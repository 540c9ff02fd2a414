/** Scores that no model is asked for: of examples by themselves, and over all of training. */
import { loadBackend } from '../../lib/backend';
import { AlreadyPreconditionedError } from '../../lib/errors';
import { selfInfluence, selfInfluenceOverTraining } from '../../lib/influence/self-influence';
import { tracIn } from '../../lib/influence/trac-in';
import { readPreconditioner } from '../../lib/preconditioners/preconditioner-files';
import type { Run } from '../../lib/run/run';
import type { KnownScores } from '../../lib/scores/known-scores';
import { GradientStoreReader } from '../../lib/store/reader';

export interface InfluenceOptions {
  /** Whose influence: each example's own on itself, or that of all on these. */
  readonly of: 'self' | readonly number[];
  /** Over the epochs of training, by the learning rates of its steps; otherwise in one store. */
  readonly overTraining: boolean;
  readonly store: string | undefined;
  readonly precondition: boolean;
}

/** @throws LearningRateError, InvalidOptionError, PreconditionerNotFoundError, AlreadyPreconditionedError, RowNotWrittenError */
export async function influenceScores(
  run: Run,
  { of, overTraining, store: name, precondition }: InfluenceOptions,
): Promise<KnownScores> {
  if (of !== 'self') return { scores: await tracIn(run, of) };
  if (overTraining) return { scores: [await selfInfluenceOverTraining(run)] };
  const store = GradientStoreReader.open(run.storeDirectory(name));
  try {
    if (!precondition) return { scores: [await selfInfluence(store)], tokens: store.tokens };
    if (store.manifest?.preconditioned) throw new AlreadyPreconditionedError(store.directory);
    await loadBackend();
    const { preconditioner } = readPreconditioner(store);
    try {
      return { scores: [await selfInfluence(store, preconditioner)], tokens: store.tokens };
    } finally {
      preconditioner.dispose();
    }
  } finally {
    store.close();
  }
}
