/** `bergson precondition`: fits the inverse curvature that scores are to take into account, and bakes it into a store. */
import path from 'node:path';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { StageProgress } from '../../lib/build/build-run';
import { loadBackend } from '../../lib/backend';
import { LayoutMismatchError } from '../../lib/errors';
import { bakeStore } from '../../lib/preconditioners/bake';
import { fitPreconditioner, type FittedPreconditioner } from '../../lib/preconditioners/fit';
import { DEFAULT_DAMPING } from '../../lib/preconditioners/preconditioner';
import { Run } from '../../lib/run/run';
import { preconditionedStore, runPaths } from '../../lib/run/run-paths';
import { GradientStoreReader } from '../../lib/store/reader';
import { paragraph } from '../terminal/layout';
import { startProgress } from '../terminal/progress-bar';

interface PreconditionArguments {
  run: string;
  store?: string;
  damping: number;
  bake: boolean;
  'query-run'?: string;
  'query-store'?: string;
  share: number;
  force: boolean;
  json: boolean;
}

/** Most of the mixture stays with the training rows. */
const DEFAULT_SHARE = 0.9;

export const preconditionCommand: CommandModule<object, PreconditionArguments> = {
  command: 'precondition <run>',
  describe: "Fit the inverse curvature of a run's gradients, for queries or baked into a new store",
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch, such as epoch_1; default: accumulated, or the last',
      })
      .option('damping', {
        type: 'number',
        default: DEFAULT_DAMPING,
        requiresArg: true,
        describe: "Added to each layer's eigenvalues, in units of their mean",
      })
      .option('bake', {
        type: 'boolean',
        default: false,
        describe: 'Also write a store of preconditioned rows, to search with --unit-norm or through an index',
      })
      .option('query-run', {
        type: 'string',
        requiresArg: true,
        describe: 'A run whose rows are queries, to mix their autocorrelation in',
      })
      .option('query-store', {
        type: 'string',
        requiresArg: true,
        implies: 'query-run',
        describe: "Which of that run's stores; default: as for --store",
      })
      .option('share', {
        type: 'number',
        default: DEFAULT_SHARE,
        requiresArg: true,
        describe: "The training rows' share of the mixture, from 0 to 1",
      })
      .option('force', { type: 'boolean', default: false, describe: 'Go over the rows again' })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .check(checkNumbers)
      .example('$0 precondition runs/demo', 'Fit it; then: $0 query runs/demo --precondition')
      .example('$0 precondition runs/demo --damping 0.01', 'Damp less; the rows are not read again')
      .example('$0 precondition runs/demo --bake', 'Then: $0 query runs/demo --store epoch_2.preconditioned')
      .example('$0 precondition runs/demo --query-run runs/facts', 'Turn down what queries have in common'),
  handler: precondition,
};

/** Wrong usage, in words, or true. */
function checkNumbers({ damping = 0, share = 0 }: Partial<PreconditionArguments>): string | true {
  if (!(damping >= 0 && damping < Infinity)) return '--damping takes a number from 0.';
  if (!(share >= 0 && share <= 1)) return '--share takes a number from 0 to 1.';
  return true;
}

async function precondition(args: ArgumentsCamelCase<PreconditionArguments>): Promise<void> {
  const { damping, share, bake, force, json } = args;
  const run = Run.open(args.run);
  await loadBackend();
  const store = GradientStoreReader.open(run.storeDirectory(args.store));
  const asked = args.queryRun === undefined ? null : openQueries(run, args.queryRun, args.queryStore);
  const progress = new PhasedProgress();
  try {
    const fitted = await fitPreconditioner(store, {
      damping,
      force,
      queries: asked && { store: asked, share },
      onProgress: (what, done, total) => {
        progress.update(what === 'rows' ? 'reading rows' : 'decomposing', done, total);
      },
    });
    const name = preconditionedStore(path.basename(store.directory));
    if (bake) {
      await bakeStore(store, runPaths.store(run.path, name), (done, total) => {
        progress.update('baking', done, total);
      });
    }
    progress.stop();
    const outcome = toOutcome(store.directory, fitted, bake ? name : null);
    console.log(json ? JSON.stringify(outcome, undefined, 2) : describe(run.path, outcome));
  } finally {
    progress.stop();
    store.close();
    asked?.close();
  }
}

/** A store of queries' rows, made as the run's own are. @throws LayoutMismatchError */
function openQueries(run: Run, other: string, name: string | undefined): GradientStoreReader {
  const queries = Run.open(other);
  for (const field of ['projection', 'normalizer'] as const) {
    const [left, right] = [JSON.stringify(run.manifest[field]), JSON.stringify(queries.manifest[field])];
    if (left !== right) throw new LayoutMismatchError(run.path, queries.path, field, left, right);
  }
  return GradientStoreReader.open(queries.storeDirectory(name));
}

/** One bar after another. */
class PhasedProgress {
  private phase = '';
  private bar: StageProgress | null = null;

  update(phase: string, done: number, total: number): void {
    if (phase !== this.phase) {
      this.stop();
      this.bar = startProgress(phase, total);
      this.phase = phase;
    }
    this.bar?.update(done);
  }

  stop(): void {
    this.bar?.stop();
    this.bar = null;
  }
}

type Outcome = ReturnType<typeof toOutcome>;

function toOutcome(
  store: string,
  { fitted, readRows, record, preconditioner }: FittedPreconditioner,
  baked: string | null,
) {
  const { damping, examples, queries, of, bytes } = record;
  return {
    store,
    fitted,
    readRows,
    of,
    examples,
    queries,
    damping,
    bytes,
    baked,
    layers: preconditioner.conditioning,
  };
}

function describe(
  run: string,
  { store, fitted, readRows, of, examples, damping, queries, baked, layers }: Outcome,
): string {
  const conditions = layers.flatMap(({ condition }) => condition ?? []);
  const mixed = queries === null ? '' : `, ${queries.examples} of them queries' (share ${1 - queries.share})`;
  const summed = 'fitted to what was summed while they were collected (--force reads the rows)';
  const how = !fitted
    ? 'decomposed before (--force goes over the rows again), and damped'
    : readRows || of === 'given'
      ? 'fitted'
      : summed;
  const next = baked === null ? `query ${run} --precondition` : `query ${run} --store ${baked} --unit-norm`;
  return [
    paragraph(
      `${store}: ${how} over ${of === 'rows' ? `${examples} rows` : `a matrix of ${examples} examples that a program gave`}${mixed}; damping ${damping} of the mean eigenvalue leaves condition numbers ` +
        `of ${formatRange(conditions)}. \`bergson doctor ${run}\` shows each layer's.`,
    ),
    ...(baked === null ? [] : [`Preconditioned rows are in ${baked}.`]),
    `Next: bergson ${next}`,
  ].join('\n');
}

function formatRange(values: readonly number[]): string {
  if (values.length === 0) return 'no layer: there is no gradient in any';
  const least = Math.min(...values).toPrecision(3);
  const most = Math.max(...values).toPrecision(3);
  return least === most ? least : `${least} to ${most}`;
}
