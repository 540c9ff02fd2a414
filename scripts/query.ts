/** `bergson query`: which training examples taught the model this? */
import type { CommandModule } from 'yargs';
import { answer } from './query/answer';
import type { QueryArguments } from './query/query-arguments';
import { withScoringOptions } from './query/scoring-options';

export const queryCommand: CommandModule<object, QueryArguments> = {
  command: 'query <run..>',
  describe: 'Show the training examples with the highest and lowest influence on a query',
  builder: (yargs) =>
    withScoringOptions(yargs)
      .positional('run', {
        type: 'string',
        array: true,
        demandOption: true,
        describe: 'Directory of the run, or of several to be searched as one',
      })
      .option('example', {
        type: 'number',
        array: true,
        requiresArg: true,
        describe: 'Ids of training examples to query by; needs no model',
      })
      .option('text', {
        type: 'string',
        array: true,
        nargs: 1,
        describe: 'A text to query by, of a run of a language model; several times for several',
      })
      .option('generate', {
        type: 'boolean',
        default: false,
        describe: 'Query by what the model itself goes on with after each --text',
      })
      .option('max-tokens', {
        type: 'number',
        default: 32,
        requiresArg: true,
        describe: 'Tokens that --generate makes, at most',
      })
      .option('input', {
        type: 'string',
        requiresArg: true,
        describe:
          'File of queries {"x", "y", "label"?, "text"?} as JSON or JSON lines, - for stdin; of a language model {"text"}, {"prompt", "completion"} or {"messages"}',
      })
      .option('conversation', {
        type: 'string',
        requiresArg: true,
        describe:
          'File of a list of messages {"role", "content"} as JSON, - for stdin: what the assistant says in it asks a run of a language model',
      })
      .option('row', {
        type: 'number',
        array: true,
        requiresArg: true,
        describe: 'Which queries of the input, from 0; default: all',
      })
      .option('k', {
        type: 'number',
        requiresArg: true,
        defaultDescription: '5, or all there are',
        describe: 'Examples to show at each end',
      })
      .option('lowest', { type: 'boolean', default: true, describe: 'Show the lowest scores, too' })
      .option('aggregate', {
        choices: ['mean', 'nearest'] as const,
        describe: 'Answer all queries as one: by their mean, or each example by the query nearest to it',
      })
      .option('epochs', {
        type: 'boolean',
        default: false,
        describe: "Show what each example scores in every epoch's store",
      })
      .option('explain', {
        type: 'number',
        requiresArg: true,
        describe: 'Id of an example, whose score is taken apart by layer, head and, of a text, token',
      })
      .option('tokens', {
        type: 'boolean',
        default: true,
        describe: 'Take scores of texts apart by token, too, for which the model is loaded',
      })
      .option('store', {
        type: 'string',
        array: true,
        nargs: 1,
        describe:
          'Which epoch to search, such as epoch_1, several times for several, or all; default: accumulated, or the last',
      })
      .option('other-weights', {
        type: 'boolean',
        default: false,
        describe: 'Search runs as one whose models have other weights, such as those of two trainings',
      })
      .option('engine', {
        choices: ['auto', 'exact', 'projected', 'hnsw'] as const,
        default: 'auto' as const,
        describe: 'How to search',
      })
      .option('pictures', {
        type: 'boolean',
        default: process.stdout.isTTY,
        defaultDescription: 'on a terminal',
        describe: 'Draw the pictures that records hold',
      })
      .option('csv', { type: 'string', requiresArg: true, describe: 'File to write the answers to as well' })
      .option('json', { type: 'boolean', default: false, describe: 'Print one JSON document' })
      .check(checkQuestion)
      .example('$0 query runs/demo', 'Ask at a prompt')
      .example('$0 query runs/demo --example 17', 'What resembles training example 17, and what opposes it')
      .example('$0 query runs/facts --text "Paris is in France."', 'Which texts taught the model this')
      .example('$0 query runs/facts --generate --text "France is"', 'Which made it go on as it does')
      .example('$0 query runs/demo --input queries.jsonl -k 3', 'What taught the model each of these')
      .example('$0 query runs/demo --example 17 --explain 4', 'Which layers example 4 scores by')
      .example('$0 query runs/demo --example 17 --store all', 'One ranking over all epochs')
      .example('$0 query runs/facts runs/more --text "Paris is in France."', 'One ranking over two runs')
      .example('$0 query runs/demo --example 17 --json | jq .queries', 'For machines'),
  handler: answer,
};

/** Wrong usage, in words, or true. */
function checkQuestion(args: Partial<QueryArguments>): string | true {
  const { example, text, generate, conversation, input, row, k, explain, aggregate, json, csv } = args;
  const given = [example, text, conversation, input].filter((each) => each !== undefined).length;
  if (given > 1) return 'Query by one of --example, --text, --conversation and --input.';
  if (row !== undefined && input === undefined) return '--row chooses among the queries of --input.';
  if (generate === true && text === undefined) return '--generate goes on with each --text.';
  if (![k ?? 1, ...(example ?? []), ...(row ?? []), explain ?? 0].every(Number.isInteger))
    return '-k, --example, --row and --explain take whole numbers.';
  if (explain !== undefined && aggregate !== undefined)
    return '--explain takes the score of each query apart; --aggregate makes one of them.';
  if (given === 1) return true;
  if (json === true || csv !== undefined || explain !== undefined || aggregate !== undefined)
    return '--json, --csv, --explain and --aggregate need a query: --example, --text, --conversation or --input.';
  if (!process.stdin.isTTY)
    return 'Query by --example, --text, --conversation or --input; a prompt needs a terminal.';
  return true;
}
