/** The options of `bergson train`. */
import type { Argv } from 'yargs';
import { InvalidOptionError } from '../../lib/errors';
import { withColumns, withLengths } from '../build/reading-options';
import type { TrainOptions } from './train-options';

export interface TrainArguments {
  run: string;
  model?: string;
  config?: string;
  dataset: string;
  tokenizer?: string;
  split?: string;
  textColumn?: string;
  promptColumn?: string;
  completionColumn?: string;
  conversationColumn?: string;
  longDocuments?: 'truncate' | 'chunk';
  contextLength?: number;
  epochs: number;
  batchSize: number;
  learningRate: number;
  warmup: number;
  weightDecay: number;
  seed: number;
  projectionDim: number | 'exact';
  normalizer: 'adam' | 'none';
  dtype: 'float32' | 'float16';
  index: boolean;
  json: boolean;
}

export function withTrainOptions(yargs: Argv) {
  const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const;
  const number = (value: number, describe: string) =>
    ({ type: 'number', requiresArg: true, default: value, describe }) as const;
  const chosen = yargs
    .positional('run', {
      type: 'string',
      demandOption: true,
      describe: 'Directory of the run, absent or empty',
    })
    .option('model', text('Folder of a language model in Hugging Face’s format, to go on from'))
    .option('config', text('File such as its config.json, to train random weights of that shape'))
    .option('dataset', {
      ...text('JSONL, CSV, Parquet or text files, or a folder written by `save_to_disk`'),
      demandOption: true,
    })
    .option('tokenizer', text('tokenizer.json, or its folder; default: beside the model or the config'));
  return withLengths(withColumns(chosen))
    .option('epochs', number(3, 'Times that every example is trained on'))
    .option('batch-size', number(16, 'Examples of a step'))
    .option('learning-rate', number(1e-3, 'The highest; it falls along a cosine to a tenth'))
    .option('warmup', number(0.05, 'Share of the steps on which the rate rises to that'))
    .option('weight-decay', number(0.1, 'By which matrices shrink, times the rate, each step'))
    .option('seed', number(0, 'Of random weights, the order of examples, and the projection'))
    .option('projection-dim', {
      ...text('Larger sides of a layer’s gradient are projected to this; or `exact`'),
      default: 16,
      coerce: (value: string | number) => (value === 'exact' ? value : Number(value)),
    })
    .option('normalizer', {
      choices: ['adam', 'none'] as const,
      default: 'none' as const,
      requiresArg: true,
      describe: 'Whether gradients are divided by the optimizer’s second moments',
    })
    .option('dtype', {
      choices: ['float32', 'float16'] as const,
      default: 'float32' as const,
      requiresArg: true,
      describe: 'How numbers are stored',
    })
    .option('index', { type: 'boolean', default: true, describe: 'Whether to build an index at the end' })
    .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
    .check(({ model, config }) =>
      (model === undefined) !== (config === undefined) ? true : 'Give either --model or --config.',
    ) as unknown as Argv<TrainArguments>;
}

/** @throws InvalidOptionError naming the first option that is not what it may be */
export function toOptions(args: TrainArguments): TrainOptions {
  check('epochs', args.epochs, isCount, 'a whole number from 1');
  check('batch-size', args.batchSize, isCount, 'a whole number from 1');
  check('learning-rate', args.learningRate, (value) => value > 0 && value < Infinity, 'more than 0');
  check('warmup', args.warmup, (value) => value >= 0 && value <= 1, 'a share from 0 to 1');
  check('weight-decay', args.weightDecay, (value) => value >= 0 && value < Infinity, 'at least 0');
  check(
    'seed',
    args.seed,
    (value) => value >= 0 && value < 2 ** 32 && Number.isInteger(value),
    'a whole number from 0 to 4294967295',
  );
  const { run, dataset, tokenizer, contextLength, epochs, batchSize, learningRate, warmup, weightDecay } =
    args;
  const { seed, projectionDim, normalizer, dtype, index } = args;
  const { split, textColumn, promptColumn, completionColumn, conversationColumn, longDocuments } = args;
  return {
    run,
    model: args.model === undefined ? { config: args.config ?? '' } : { folder: args.model },
    dataset,
    ...(tokenizer !== undefined && { tokenizer }),
    reading: {
      ...(split !== undefined && { split }),
      ...(textColumn !== undefined && { textColumn }),
      ...(promptColumn !== undefined && { promptColumn }),
      ...(completionColumn !== undefined && { completionColumn }),
      ...(conversationColumn !== undefined && { conversationColumn }),
      ...(longDocuments !== undefined && { longDocuments }),
    },
    ...(contextLength !== undefined && { contextLength }),
    epochs,
    batchSize,
    learningRate,
    warmup,
    weightDecay,
    seed,
    projectionDim,
    normalizer,
    dtype,
    index,
  };
}

const isCount = (value: number) => Number.isSafeInteger(value) && value > 0;

function check(option: string, value: number, test: (value: number) => boolean, allowed: string): void {
  if (!test(value)) throw new InvalidOptionError(option, value, allowed);
}
