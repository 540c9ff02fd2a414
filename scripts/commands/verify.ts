/** `bergson verify`: unlearns training examples for real, and shows whether their scores foretold what that does. */
import tf = require('@tensorflow/tfjs');
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { Attributor } from '../../lib/attributor';
import { loadBackend } from '../../lib/backend';
import { batchLoss, type Batch } from '../../lib/compiled-model';
import { chooseExamples } from '../../lib/verification/choose-examples';
import { QueryInputError } from '../query/errors';
import { readInputs, type QueryInput } from '../query/inputs';
import { loadSavedModel } from '../query/saved-model';
import { toBatches } from '../query/tensors';
import { startProgress } from '../terminal/progress-bar';
import { describeVerification } from '../verify/report';

interface VerifyArguments {
  run: string;
  input: string;
  examples: string;
  count: number;
  step?: number;
  store?: string;
  json: boolean;
}

export const verifyCommand: CommandModule<object, VerifyArguments> = {
  command: 'verify <run>',
  describe: 'Unlearn training examples for real, and compare what that changes with their scores',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('input', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'File of queries {"x", "y"}, of which the mean loss is asked about; - for stdin',
      })
      .option('examples', {
        type: 'string',
        demandOption: true,
        requiresArg: true,
        describe: 'File of training examples {"example", "x", "y"}; without "example", line i is example i',
      })
      .option('count', {
        type: 'number',
        default: 60,
        requiresArg: true,
        describe: 'How many of them to unlearn: those with the highest and lowest scores, and some between',
      })
      .option('step', {
        type: 'number',
        requiresArg: true,
        describe: 'How far a step moves the weights, relative to their norm; default: 0.0003',
      })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch the scores are of, such as epoch_1; default: accumulated, or the last',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .check(
        ({ count }) => (Number.isInteger(count) && count >= 3) || '--count takes whole numbers from 3 on.',
      )
      .example(
        '$0 verify runs/demo --input runs/demo-queries.jsonl --examples runs/demo-examples.jsonl',
        "Whether the demo's scores hold",
      ),
  handler: verify,
};

async function verify(args: ArgumentsCamelCase<VerifyArguments>): Promise<void> {
  const { run, count, step: relativeStep, store, json } = args;
  const queries = readInputs(args.input);
  const inputs = readInputs(args.examples);
  const attributor = await Attributor.open(run, { store, engine: 'exact' });
  try {
    await loadBackend();
    const compiled = await loadSavedModel(attributor.run);
    const query = toBatches(compiled, queries);
    const scores = await scoresOf(attributor, compiled.model, query, inputs.map(exampleId));
    const chosen = chooseExamples(scores, count).map((place) => inputs[place] as QueryInput);
    const examples = toBatches(compiled, chosen);
    const progress = startProgress('unlearning', chosen.length);
    try {
      const verification = await attributor.verify(compiled.model, query, {
        examples,
        ids: chosen.map(exampleId),
        relativeStep,
        onProgress: (done) => {
          progress.update(done);
        },
      });
      progress.stop();
      console.log(
        json ? JSON.stringify(verification, undefined, 2) : describeVerification(attributor, verification),
      );
    } finally {
      progress.stop();
      tf.dispose([query.xs, query.ys, examples.xs, examples.ys]);
    }
  } finally {
    await attributor.close();
  }
}

function exampleId({ where, record }: QueryInput, place: number): number {
  const { example = place } = record;
  if (Number.isInteger(example)) return example as number;
  throw new QueryInputError(
    where,
    `\`example\` must be the number of a training example, found ${String(example)}`,
  );
}

/** The run's scores of the examples `ids` for the query's mean loss. */
async function scoresOf(
  attributor: Attributor,
  model: tf.LayersModel,
  query: Batch,
  ids: readonly number[],
): Promise<number[]> {
  const [row = new Float32Array()] = await attributor.queryRows(model, () => batchLoss(model, query));
  return ids.map((id) => attributor.row(id).reduce((sum, value, i) => sum + value * (row[i] ?? NaN), 0));
}
