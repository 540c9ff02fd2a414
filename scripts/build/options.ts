/** The options of `bergson build`. */
import type { Argv } from 'yargs';
import { readConfig } from '../../lib/build/build-config';
import { withColumns, withLengths } from './reading-options';

export interface BuildArguments {
  run?: string;
  config?: string;
  plan: boolean;
  json: boolean;
  [option: string]: unknown;
}

/** No option has a default here: what is not given may be in a file. */
export function withBuildOptions(yargs: Argv): Argv<BuildArguments> {
  const text = (describe: string) => ({ type: 'string', requiresArg: true, describe }) as const;
  const count = (describe: string) => ({ type: 'number', requiresArg: true, describe }) as const;
  const choice = (choices: readonly string[], describe: string) => ({ ...text(describe), choices }) as const;
  const read = withColumns(
    yargs
      .positional('run', {
        type: 'string',
        describe: 'Directory of the run; one that was interrupted goes on',
      })
      .option('model', text('Folder of a language model in Hugging Face’s format'))
      .option('dataset', text('JSONL, CSV, Parquet or text files, or a folder written by `save_to_disk`'))
      .option('tokenizer', text('Folder of tokenizer.json; default: the model’s')),
  )
    .option('reward-column', text('Column of rewards: losses are multiplied by advantages (Dr. GRPO)'))
    .option('group-column', text('Column that tells groups of rewards apart; default: the prompt'));
  return withLengths(read)
    .option('token-batch-size', count('Tokens of a batch at most, padding included; default: 2048'))
    .option('attribute', choice(['examples', 'tokens'], 'What has a row; default: examples'))
    .option('loss-reduction', choice(['sum', 'mean'], 'An example’s loss over its tokens; default: sum'))
    .option(
      'normalizer',
      choice(
        ['adafactor', 'adam', 'none'],
        'By what gradients are divided, fitted first; default: adafactor',
      ),
    )
    .option('normalizer-run', text('A run to take the normalizer from, so that rows compare with its'))
    .option('normalizer-sample', count('Examples to fit it on, at most; default: 512'))
    .option('projection-dim', {
      ...text('Larger sides of a layer’s gradient are projected to this; or `exact`; default: 16'),
      coerce: (value?: string) => (value === undefined || value === 'exact' ? value : Number(value)),
    })
    .option(
      'projection-type',
      choice(['rademacher', 'normal'], 'Entries of the projection; default: rademacher'),
    )
    .option(
      'projection-target',
      choice(
        ['module', 'global'],
        'Columns for each layer, or one projection of all together; default: module',
      ),
    )
    .option('seed', count('Of the projection; default: 0'))
    .option('include-bias', {
      type: 'boolean',
      describe: 'Whether biases’ gradients are part of their layers’; default: no',
    })
    .option('modules', {
      ...text(
        'Layers to attribute, with commas between; * and ** (also over dots) stand for anything; default: the linear maps below the head',
      ),
      coerce: (value?: string | string[]) =>
        value === undefined ? value : [value].flat().flatMap((each) => each.split(',')),
    })
    .option('heads', {
      ...text('YAML or JSON file of layers to split by attention head: numHeads, headSize, headDim for each'),
      coerce: (file?: string) => (file === undefined ? file : readConfig(file)),
    })
    .option('dtype', choice(['float32', 'float16'], 'How numbers are stored; default: float32'))
    .option('autocorrelation', {
      type: 'boolean',
      describe:
        'Whether to sum the rows’ autocorrelation on the way, so that `precondition` needs no pass of its own; default: no',
    })
    .option('index', {
      type: 'boolean',
      describe: 'Whether to build an index at the end; default: yes',
    })
    .option('config', {
      type: 'string',
      requiresArg: true,
      describe:
        'YAML file of these options, such as a run keeps in config.yaml; options given here come first',
    })
    .option('plan', {
      type: 'boolean',
      default: false,
      describe: 'Measure a few batches, say what all would take, and stop',
    })
    .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' });
}
