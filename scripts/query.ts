/** `bergson query`: which training examples taught the model this? */
import * as tf from '@tensorflow/tfjs';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { Attributor } from '../lib/attributor';
import { loadBackend } from '../lib/backend';
import type { Trace } from '../lib/query/trace';
import type { ExampleRecord } from '../lib/run/example-records';
import { toDocument, type DocumentedQuestion } from './query/document';
import { QueryInputError } from './query/errors';
import { readInputs } from './query/inputs';
import { describeSearch, describeTrace } from './query/report';
import { loadSavedModel } from './query/saved-model';
import { toBatch } from './query/tensors';
import { terminalColumns } from './terminal/layout';

interface QueryArguments {
  run: string;
  example?: number[];
  input?: string;
  row?: number[];
  k: number;
  layers?: string[];
  'unit-norm': boolean;
  precondition: boolean;
  store?: string;
  engine: 'auto' | 'exact' | 'hnsw';
  pictures: boolean;
  json: boolean;
}

export const queryCommand: CommandModule<object, QueryArguments> = {
  command: 'query <run>',
  describe: 'Show the training examples with the highest and lowest influence on a query',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('example', {
        type: 'number',
        array: true,
        requiresArg: true,
        describe: 'Ids of training examples to query by; needs no model',
      })
      .option('input', {
        type: 'string',
        requiresArg: true,
        describe: 'File of queries {"x", "y", "label"?, "text"?} as JSON or JSON lines, - for stdin',
      })
      .option('row', {
        type: 'number',
        array: true,
        requiresArg: true,
        describe: 'Which queries of the input, from 0; default: all',
      })
      .option('k', {
        type: 'number',
        default: 5,
        requiresArg: true,
        describe: 'Examples to show at each end',
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
        describe: 'Divide scores by the norms of examples, so that outliers do not lead every list',
      })
      .option('precondition', {
        type: 'boolean',
        default: false,
        describe: 'Take into account the inverse curvature that `bergson precondition` fitted',
      })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch to search, such as epoch_1; default: accumulated, or the last',
      })
      .option('engine', {
        choices: ['auto', 'exact', 'hnsw'] as const,
        default: 'auto' as const,
        describe: 'How to search',
      })
      .option('pictures', {
        type: 'boolean',
        default: process.stdout.isTTY,
        defaultDescription: 'on a terminal',
        describe: 'Draw the pictures that records hold',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print one JSON document' })
      .check(checkQuestion)
      .example('$0 query runs/demo --example 17', 'What resembles training example 17, and what opposes it')
      .example('$0 query runs/demo --input queries.jsonl -k 3', 'What taught the model each of these')
      .example('$0 query runs/demo --example 17 --json | jq .queries', 'For machines'),
  handler: answer,
};

/** Wrong usage, in words, or true. */
function checkQuestion({ example, input, row, k }: Partial<QueryArguments>): string | true {
  if ((example === undefined) === (input === undefined)) return 'Query by either --example or --input.';
  if (row !== undefined && input === undefined) return '--row chooses among the queries of --input.';
  if (![k, ...(example ?? []), ...(row ?? [])].every(Number.isInteger))
    return '-k, --example and --row take whole numbers.';
  return true;
}

async function answer(args: ArgumentsCamelCase<QueryArguments>): Promise<void> {
  const { k, layers, unitNorm, store, engine, pictures, json } = args;
  const { precondition } = args;
  const attributor = await Attributor.open(args.run, { store, engine, precondition });
  try {
    const questions =
      args.input === undefined
        ? fromExamples(attributor, args.example ?? [])
        : await fromInput(attributor, args.input, args.row);
    const options = { k, unitNorm, layers };
    const traces = await attributor.search(
      questions.map(({ row }) => row),
      options,
    );
    const answers = questions.map((question, i) => ({
      question,
      trace: traces[i] as Trace,
    }));
    if (json) {
      const queries = answers.map(({ question: { query, record }, trace }) => ({ query, record, ...trace }));
      console.log(JSON.stringify(toDocument(attributor, options, queries), undefined, 2));
      return;
    }
    console.log(describeSearch(attributor));
    for (const { question, trace } of answers) {
      console.log(
        describeTrace({ title: question.title, record: question.record ?? undefined }, trace, {
          columns: terminalColumns(),
          pictures,
        }),
      );
    }
  } finally {
    await attributor.close();
  }
}

/** A query as it is asked, with the row that asks it. */
interface Question extends DocumentedQuestion {
  readonly title: string;
  readonly row: Float32Array;
}

/** Queries by rows of the store itself. @throws ExampleRangeError, RowNotWrittenError */
function fromExamples(attributor: Attributor, examples: readonly number[]): Question[] {
  const records = attributor.run.exampleRecords(examples);
  return examples.map((example) => ({
    query: { example },
    title: `Training example ${example}`,
    record: records.get(example) ?? null,
    row: attributor.row(example),
  }));
}

/** Queries that the run's own model computes gradients of. @throws QueryInputError, SavedModelError */
async function fromInput(
  attributor: Attributor,
  file: string,
  rows: readonly number[] | undefined,
): Promise<Question[]> {
  const inputs = readInputs(file);
  const chosen = (rows ?? inputs.map((_, i) => i)).map((row) => {
    const input = inputs[row];
    if (input === undefined)
      throw new QueryInputError(file, `has no query ${row}; it holds ${inputs.length}, from 0`);
    return input;
  });
  await loadBackend();
  const compiled = await loadSavedModel(attributor.run);
  const questions: Question[] = [];
  for (const input of chosen) {
    const batch = toBatch(compiled, input);
    const [row] = await attributor.queryRows(compiled.model, batch);
    tf.dispose([batch.xs, batch.ys]);
    if (row === undefined) throw new Error('internal: a batch of one query gave no row');
    questions.push({
      query: { input: input.where },
      title: `Query in ${input.where}`,
      record: recordOf(input.record),
      row,
    });
  }
  return questions;
}

function recordOf(record: ExampleRecord): ExampleRecord | null {
  return Object.keys(record).length === 0 ? null : record;
}
