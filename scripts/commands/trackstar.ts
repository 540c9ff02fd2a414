/** `bergson trackstar`: normalizer, gradients, preconditioner, index and scores as one pipeline that can be run again. */
import type { CommandModule } from 'yargs';
import { loadBackend } from '../../lib/backend';
import { CONFIG_FIELDS } from '../../lib/build/build-config';
import {
  readTrackstar,
  resolveTrackstar,
  runTrackstar,
  type TrackstarConfig,
  type TrackstarOutcome,
} from '../../lib/build/trackstar';
import { applyHostFixes } from '../../lib/host-fixes';
import { withBuildOptions, type BuildArguments } from '../build/options';
import { describeBuilt, toOutcome } from '../build/report';
import { paragraph } from '../terminal/layout';
import { startProgress } from '../terminal/progress-bar';

export const trackstarCommand: CommandModule<object, BuildArguments> = {
  command: 'trackstar [run]',
  describe: 'Build, precondition, index and score in one: which examples taught a model what queries ask',
  builder: (yargs) => {
    const cli = withBuildOptions(yargs);
    cli
      .option('queries', {
        type: 'string',
        requiresArg: true,
        describe: 'Data set of queries, of the same columns',
      })
      .option('query-split', {
        type: 'string',
        requiresArg: true,
        describe: 'Part of it, such as test[:10%] or 0:200',
      })
      .option('share', {
        type: 'number',
        requiresArg: true,
        describe: "The training examples' share of the autocorrelation, from 0 to 1; default: 0.9",
      })
      .option('damping', {
        type: 'number',
        requiresArg: true,
        describe: "Added to each layer's eigenvalues, in units of their mean; default: 0.1",
      })
      .hide('plan')
      .check((args) => {
        if (args.plan === true) return '--plan is of `bergson build`.';
        if (args.config !== undefined) return true;
        const missing = ['run', 'model', 'dataset', 'queries'].filter((name) => args[name] === undefined);
        return missing.length === 0 || `Give ${missing.join(' and ')}, or --config with a file that does.`;
      })
      .example(
        '$0 trackstar runs/facts --model models/gpt2 --dataset corpus.jsonl --queries facts.jsonl',
        'Scores of all documents for all facts',
      )
      .example('$0 trackstar runs/again --config runs/facts/trackstar.yaml', 'The same again, elsewhere');
    return cli;
  },
  handler: async (args) => {
    const config = configOf(args);
    await loadBackend();
    applyHostFixes();
    const outcome = await runTrackstar(config, startProgress);
    console.log(args.json ? JSON.stringify(toDocument(outcome), undefined, 2) : describe(outcome));
    if (outcome.examples.failed.length + outcome.queries.failed.length > 0) process.exitCode = 1;
  },
};

/** What is asked for on the command line, before what a file asks for. @throws InvalidConfigError */
function configOf(args: BuildArguments): TrackstarConfig {
  const file = args.config === undefined ? {} : readTrackstar(args.config);
  const given = (names: readonly string[]) =>
    Object.fromEntries(names.flatMap((name) => (args[name] === undefined ? [] : [[name, args[name]]])));
  return resolveTrackstar(
    {
      ...file,
      ...given(['queries', 'querySplit', 'share', 'damping']),
      build: { ...(file.build as Record<string, unknown> | undefined), ...given(CONFIG_FIELDS) },
    },
    args.config ?? 'the command line',
  );
}

function toDocument({ config, examples, queries, store, scores }: TrackstarOutcome) {
  return { config, examples: toOutcome(examples), queries: toOutcome(queries), store, scores };
}

function describe({ examples, queries, store, scores }: TrackstarOutcome): string {
  const { path } = examples.run;
  return [
    describeBuilt(examples),
    describeBuilt(queries),
    paragraph(
      `${scores.path}: the cosine of each of ${scores.scored} examples with each of ${scores.queries} queries, after ` +
        "preconditioning. Positive: training on the example lowered the query's loss.",
    ),
    `Ask it for more: bergson query ${path} --store ${store} --unit-norm`,
  ].join('\n');
}
