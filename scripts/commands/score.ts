/** `bergson score`: what every training example did for every query, as a file. */
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import type { Aggregate } from '../../lib/query/aggregate';
import type { ScoreFormat } from '../../lib/scores/score-formats';
import type { ScoreSummary } from '../../lib/scores/score-store';
import { QuerySession } from '../query/session';
import { onTruncated } from '../query/truncation';
import { openData } from '../score/data';
import { readQueries } from '../score/queries';
import { startProgress } from '../terminal/progress-bar';

interface ScoreArguments {
  run: string;
  queries: string;
  out: string;
  format?: ScoreFormat;
  aggregate?: Aggregate;
  data?: string;
  model?: string;
  layers?: string[];
  'unit-norm': boolean;
  precondition: boolean;
  store?: string;
  json: boolean;
}

export const scoreCommand: CommandModule<object, ScoreArguments> = {
  command: 'score <run>',
  describe: 'Score every training example by every query, into a file',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('queries', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe:
          'File of queries {"x", "y"}, or of a language model {"text"}, - for stdin; or a run, whose rows are the queries',
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
          'Score the examples {"x", "y"} of this file of JSON lines in one pass, in place of the rows',
      })
      .option('model', {
        type: 'string',
        requiresArg: true,
        describe: "Folder of the run's language model, if it is not where it was",
      })
      .option('layers', {
        type: 'string',
        array: true,
        requiresArg: true,
        describe: 'Score by these layers alone',
      })
      .option('unit-norm', {
        type: 'boolean',
        default: false,
        describe: 'Divide scores by the norms of examples',
      })
      .option('precondition', {
        type: 'boolean',
        default: false,
        describe: 'Take into account the inverse curvature that `bergson precondition` fitted',
      })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch to score, such as epoch_1; default: accumulated, or the last',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
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
      ),
  handler: score,
};

async function score(args: ArgumentsCamelCase<ScoreArguments>): Promise<void> {
  const { out: path, aggregate, layers, unitNorm, precondition, store, model, json } = args;
  const session = await QuerySession.open(args.run, {
    store,
    precondition,
    engine: 'exact',
    model,
    onTruncated,
  });
  try {
    const queries = await readQueries(session, args.queries);
    const data = args.data === undefined ? undefined : await openData(session, args.data);
    const progress = startProgress('scoring', data?.examples ?? session.attributor.rows);
    try {
      const summary = await session.attributor.score(queries, {
        path,
        format: args.format ?? formatOf(path),
        aggregate,
        layers,
        unitNorm,
        data,
        onProgress: (rows) => {
          progress.update(rows);
        },
      });
      progress.stop();
      console.log(json ? JSON.stringify(summary, undefined, 2) : describe(summary));
    } finally {
      progress.stop();
    }
  } finally {
    await session.close();
  }
}

function formatOf(path: string): ScoreFormat {
  if (path.endsWith('.jsonl')) return 'jsonl';
  return path.endsWith('.parquet') ? 'parquet' : 'bergson';
}

function describe({ path, rows, scored, computed, queries }: ScoreSummary): string {
  const missing = scored === rows ? '' : `; ${rows - scored} of ${rows} have no gradient, and no scores`;
  const before = computed === scored ? '' : `, ${scored - computed} of them by an earlier call`;
  return (
    `${path}: ${scored} rows with ${queries} ${queries === 1 ? 'score' : 'scores'} each${before}${missing}. ` +
    "Positive: training on the example lowered the query's loss."
  );
}
