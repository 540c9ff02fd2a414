/** `bergson score`: what every training example did for every query, as a file. */
import path from 'node:path';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { InvalidOptionError } from '../../lib/errors';
import type { Aggregate } from '../../lib/query/aggregate';
import { Run } from '../../lib/run/run';
import { preconditionedStore } from '../../lib/run/run-paths';
import { writeKnownScores, type KnownScores } from '../../lib/scores/known-scores';
import type { ScoreFormat } from '../../lib/scores/score-formats';
import type { ScoreSummary } from '../../lib/scores/score-store';
import { withScoringOptions, type ScoringArguments } from '../query/scoring-options';
import { QuerySession } from '../query/session';
import { onTruncated } from '../query/truncation';
import { openData } from '../score/data';
import { influenceScores } from '../score/influence';
import { readQueries } from '../score/queries';
import { startProgress } from '../terminal/progress-bar';

interface ScoreArguments extends ScoringArguments {
  run: string;
  queries?: string;
  example?: number[];
  self: boolean;
  tracin: boolean;
  relatif: boolean;
  out: string;
  format?: ScoreFormat;
  aggregate?: Aggregate;
  data?: string;
  store?: string;
  json: boolean;
}

export const scoreCommand: CommandModule<object, ScoreArguments> = {
  command: 'score <run>',
  describe: 'Score every training example by every query, or by itself, into a file',
  builder: (yargs) =>
    withScoringOptions(yargs)
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('queries', {
        type: 'string',
        requiresArg: true,
        describe:
          'File of queries {"x", "y"}, or of a language model {"text"} or {"messages"}, - for stdin; or a run, whose rows are the queries',
      })
      .option('example', {
        type: 'number',
        array: true,
        requiresArg: true,
        describe: 'Ids of training examples in place of queries; needs no model',
      })
      .option('self', {
        type: 'boolean',
        default: false,
        describe:
          'Score each example by itself: high for what nothing else in the data explains, such as wrong labels',
      })
      .option('tracin', {
        type: 'boolean',
        default: false,
        describe:
          'Sum over the epochs of training, by the learning rates of its steps; with --example or --self',
      })
      .option('relatif', {
        type: 'boolean',
        default: false,
        describe:
          'Divide scores by the roots of self-influences; needs the rows that `bergson precondition --bake` made',
      })
      .option('out', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'What to write; a killed call left OUT.part, and the same call goes on from there',
      })
      .option('format', {
        choices: ['bergson', 'jsonl', 'parquet'] as const,
        describe: 'Default: by the extension of OUT, .jsonl or .parquet; else a directory of scores.bin',
      })
      .option('aggregate', {
        choices: ['mean', 'nearest'] as const,
        describe: 'One score for all queries: by their mean, or that of the nearest; default: one each',
      })
      .option('data', {
        type: 'string',
        requiresArg: true,
        describe:
          'Score the examples {"x", "y"}, or as of --queries, of this file of JSON lines in one pass, in place of the rows',
      })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch to score, such as epoch_1; default: accumulated, or the last',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .check(checkScoring)
      .example(
        '$0 score runs/demo --queries queries.jsonl --out scores.parquet',
        'Every example by every query',
      )
      .example(
        '$0 score runs/demo --queries queries.jsonl --out scores --aggregate mean',
        "Bergson's scores.bin",
      )
      .example(
        '$0 score runs/demo --queries q.jsonl --data more.jsonl --out more.jsonl',
        'Data with no store',
      )
      .example(
        '$0 score runs/demo --self --out self.jsonl',
        'Which examples stand alone: wrong labels come first',
      )
      .example('$0 score runs/demo --self --tracin --out self.jsonl', 'The same over all of training')
      .example(
        '$0 score runs/demo --example 17 --tracin --out tracin.parquet',
        'What lowered the loss of example 17',
      )
      .example(
        '$0 score runs/demo --queries q.jsonl --relatif --out relatif.parquet',
        'Outliers do not lead',
      ),
  handler: score,
};

/** Wrong usage, in words, or true. */
function checkScoring(args: Partial<ScoreArguments>): string | true {
  const { queries, example, self = false, tracin = false, relatif = false, precondition = false } = args;
  const asked = [queries, example, self || undefined].filter((each) => each !== undefined).length;
  if (asked !== 1) return 'Score by one of --queries, --example and --self.';
  if (example?.every(Number.isInteger) === false) return '--example takes whole numbers.';
  if (tracin && queries !== undefined)
    return '--tracin takes training examples (--example, or --self), of which each epoch has rows.';
  if (tracin && (args.store !== undefined || precondition))
    return '--tracin is over the stores of all epochs as they are; leave --store and --precondition out.';
  if (relatif && (self || tracin || precondition))
    return '--relatif divides scores of --queries or --example by --self; it goes with none of --self, --tracin, --precondition.';
  const { aggregate, data, layers, 'unit-norm': unitNorm = false } = args;
  if ((self || tracin) && (aggregate ?? data ?? layers ?? (unitNorm || undefined)) !== undefined)
    return '--self and --tracin go with none of --aggregate, --data, --layers and --unit-norm.';
  return true;
}

async function score(args: ArgumentsCamelCase<ScoreArguments>): Promise<void> {
  const { out, example, self, tracin, store, precondition, json } = args;
  const format = args.format ?? formatOf(out);
  if (!self && !tracin) {
    const summary = await scoreByQueries(args, format);
    console.log(json ? JSON.stringify(summary, undefined, 2) : describe(summary));
    return;
  }
  const of = self ? 'self' : (example ?? []);
  const known = await influenceScores(Run.open(args.run), { of, overTraining: tracin, store, precondition });
  const summary = await writeKnownScores(out, known, format);
  const highest = self ? highestOf(known) : undefined;
  if (json) console.log(JSON.stringify({ ...summary, highest }, undefined, 2));
  else console.log(highest === undefined ? describe(summary) : describeSelf(summary, highest));
}

async function scoreByQueries(
  args: ArgumentsCamelCase<ScoreArguments>,
  format: ScoreFormat,
): Promise<ScoreSummary> {
  const { aggregate, layers, relatif, precondition, model, queries, example } = args;
  const { conversationColumn: column } = args;
  const session = await QuerySession.open(args.run, {
    store: relatif ? storeOfRelatif(args) : args.store,
    precondition,
    engine: 'exact',
    model,
    onTruncated,
  });
  try {
    const rows =
      queries === undefined
        ? session.fromExamples(example ?? []).map(({ row }) => row)
        : await readQueries(session, queries, column);
    const data = args.data === undefined ? undefined : await openData(session, args.data, column);
    const progress = startProgress('scoring', data?.examples ?? session.attributor.rows);
    try {
      return await session.attributor.score(rows, {
        path: args.out,
        format,
        aggregate,
        layers,
        unitNorm: args.unitNorm || relatif,
        data,
        onProgress: (done) => {
          progress.update(done);
        },
      });
    } finally {
      progress.stop();
    }
  } finally {
    await session.close();
  }
}

/** RelatIF is the cosine's numerator over one norm, of rows H^-1/2 g. @throws InvalidOptionError where there are none */
function storeOfRelatif({ run: directory, store }: ScoreArguments): string {
  const run = Run.open(directory);
  if (store !== undefined && run.preconditionedStores.includes(store)) return store;
  const baked = preconditionedStore(path.basename(run.storeDirectory(store)));
  if (run.preconditionedStores.includes(baked)) return baked;
  const needed = `left out: there is no store ${baked}, which \`bergson precondition ${directory} --bake\` makes`;
  throw new InvalidOptionError('relatif', true, needed);
}

/** Examples shown of those with the highest scores. */
const SHOWN = 10;

/** The rows with the highest scores for the only query. */
function highestOf({ scores: [values = new Float64Array()], tokens }: KnownScores) {
  return Array.from(values, (score, row) => ({ ...(tokens?.tokenOf(row) ?? { example: row }), score }))
    .filter(({ score }) => !Number.isNaN(score))
    .sort((a, b) => b.score - a.score || a.example - b.example)
    .slice(0, SHOWN);
}

function describeSelf({ path: out, scored }: ScoreSummary, highest: ReturnType<typeof highestOf>): string {
  const list = highest.map(({ example, score }) => `${example} (${score.toPrecision(4)})`).join(', ');
  return `${out}: ${scored} rows, each with its influence on itself. Highest: ${list}.`;
}

function formatOf(out: string): ScoreFormat {
  if (out.endsWith('.jsonl')) return 'jsonl';
  return out.endsWith('.parquet') ? 'parquet' : 'bergson';
}

function describe({ path: out, rows, scored, computed, queries }: ScoreSummary): string {
  const missing = scored === rows ? '' : `; ${rows - scored} of ${rows} have no gradient, and no scores`;
  const before = computed === scored ? '' : `, ${scored - computed} of them by an earlier call`;
  return (
    `${out}: ${scored} rows with ${queries} ${queries === 1 ? 'score' : 'scores'} each${before}${missing}. ` +
    "Positive: training on the example lowered the query's loss."
  );
}
