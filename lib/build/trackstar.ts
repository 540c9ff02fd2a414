/**
 * TrackStar, end to end: unit(R^-1/2 P V^-1/2 g) on both sides of an inner product, R mixing the autocorrelations of
 * training examples and queries. Chang et al., Scalable Influence and Fact Tracing, arXiv 2410.17413, section 3.
 */
import fs from 'node:fs';
import path from 'node:path';
import { stringify } from 'yaml';
import { Attributor } from '../attributor';
import { InvalidConfigError } from '../errors';
import { bakeStore } from '../preconditioners/bake';
import { fitPreconditioner } from '../preconditioners/fit';
import { DEFAULT_DAMPING } from '../preconditioners/preconditioner';
import { Run } from '../run/run';
import { preconditionedStore, runPaths, STATIC } from '../run/run-paths';
import type { ScoreSummary } from '../scores/score-store';
import { buildIndex } from '../search/open-index';
import { writeFileAtomic } from '../store/disk';
import { GradientStoreReader } from '../store/reader';
import { isObject, readConfig, resolveConfig, type BuildConfig } from './build-config';
import { buildRun, type BuiltRun, type ShowProgress } from './build-run';

export interface TrackstarConfig {
  /** How the training examples' rows are made; the queries' are made alike, with the same normalizer. */
  readonly build: BuildConfig;
  /** The data set of queries, absolute. */
  readonly queries: string;
  /** Which of its rows; null for all. */
  readonly querySplit: string | null;
  /** Of the training examples' autocorrelation in the mixture, from 0 to 1. */
  readonly share: number;
  /** In units of each layer's mean eigenvalue. */
  readonly damping: number;
}

export interface TrackstarOutcome {
  readonly config: TrackstarConfig;
  readonly examples: BuiltRun;
  readonly queries: BuiltRun;
  /** The store of preconditioned rows that was scored, and can be queried. */
  readonly store: string;
  /** A cosine for each example and query, as Parquet. */
  readonly scores: ScoreSummary;
}

/** As in the paper, nearly all of the mixture is the training examples'. */
const DEFAULT_SHARE = 0.9;
const FIELDS = ['build', 'queries', 'querySplit', 'share', 'damping'];

/** `given`, checked and filled up with defaults. @throws InvalidConfigError */
export function resolveTrackstar(given: Readonly<Record<string, unknown>>, where: string): TrackstarConfig {
  const { build = {}, queries, querySplit = null, share = DEFAULT_SHARE, damping = DEFAULT_DAMPING } = given;
  const check = (name: string, value: unknown, fits: boolean, allowed: string) => {
    if (!fits) throw new InvalidConfigError(where, name, value, allowed);
  };
  const unknown = Object.keys(given).find((name) => !FIELDS.includes(name));
  check(unknown ?? '', undefined, unknown === undefined, `one of ${FIELDS.join(', ')}`);
  check('build', build, isObject(build), "a map of a build's options");
  check('queries', queries, typeof queries === 'string' && queries !== '', 'a path');
  check('querySplit', querySplit, querySplit === null || typeof querySplit === 'string', 'a text');
  check('share', share, typeof share === 'number' && share >= 0 && share <= 1, 'a number from 0 to 1');
  check('damping', damping, typeof damping === 'number' && damping > 0, 'a number above 0');
  return {
    build: resolveConfig(build as Record<string, unknown>, where),
    queries: path.resolve(queries as string),
    querySplit: querySplit as string | null,
    share: share as number,
    damping: damping as number,
  };
}

/** What a `trackstar.yaml` asks for, not yet checked. @throws InvalidConfigError, the file system's own error */
export const readTrackstar = readConfig;

/**
 * Builds the run of the training examples, the run of the queries in `queries/` inside it, the preconditioner of both, a
 * store of preconditioned rows with its index, and `scores.parquet`. What asks for all that is kept as `trackstar.yaml`,
 * from which the same can be made again. Killed at any point, the same call goes on.
 * @throws InvalidConfigError, and what `buildRun`, `fitPreconditioner` and `bakeStore` throw
 */
export async function runTrackstar(asked: TrackstarConfig, show: ShowProgress): Promise<TrackstarOutcome> {
  const { queries: dataset, querySplit: split, share, damping } = asked;
  const { run, normalizer, index } = asked.build;
  const examples = await buildRun({ ...asked.build, autocorrelation: true, index: false }, show);
  const config = { ...asked, build: { ...examples.config, index } };
  writeFileAtomic(path.join(run, 'trackstar.yaml'), [Buffer.from(stringify(config))]);
  const queries = await buildRun(
    {
      ...asked.build,
      run: path.join(run, 'queries'),
      dataset,
      split,
      normalizerRun: normalizer === 'none' ? null : run,
      autocorrelation: true,
      index: false,
    },
    show,
  );
  const store = await preconditionRows(run, queries.run, { share, damping }, show);
  if (index) await showIndexing(runPaths.store(run, store), examples.run, show);
  return { config, examples, queries, store, scores: await score(run, store, queries.run, show) };
}

/** The name of the store of preconditioned rows. */
async function preconditionRows(
  run: string,
  queries: Run,
  { share, damping }: Pick<TrackstarConfig, 'share' | 'damping'>,
  show: ShowProgress,
): Promise<string> {
  const store = GradientStoreReader.open(runPaths.store(run, STATIC));
  const mixed = GradientStoreReader.open(queries.storeDirectory());
  const progress = show('preconditioning', store.rows);
  try {
    const { preconditioner } = await fitPreconditioner(store, { damping, queries: { store: mixed, share } });
    preconditioner.dispose();
    const name = preconditionedStore(STATIC);
    await bakeStore(store, runPaths.store(run, name), (rows) => {
      progress.update(rows);
    });
    return name;
  } finally {
    progress.stop();
    store.close();
    mixed.close();
  }
}

async function showIndexing(directory: string, run: Run, show: ShowProgress): Promise<void> {
  const progress = show('indexing', run.manifest.examples ?? 0);
  try {
    await buildIndex(directory, {
      onProgress: (rows) => {
        progress.update(rows);
      },
    });
  } finally {
    progress.stop();
  }
}

async function score(run: string, store: string, queries: Run, show: ShowProgress): Promise<ScoreSummary> {
  const file = path.join(run, 'scores.parquet');
  // An earlier call's are of what the run held then.
  fs.rmSync(file, { force: true });
  const attributor = await Attributor.open(run, { store, engine: 'exact' });
  const progress = show('scoring', attributor.rows);
  try {
    // Brought to unit norm after preconditioning, never before.
    const rows = attributor.rowsOfRun(queries).map(toUnitNorm);
    return await attributor.score(rows, {
      path: file,
      format: 'parquet',
      unitNorm: true,
      onProgress: (rows) => {
        progress.update(rows);
      },
    });
  } finally {
    progress.stop();
    await attributor.close();
  }
}

function toUnitNorm(row: Float32Array): Float32Array {
  const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  return norm === 0 ? row : row.map((value) => value / norm);
}
