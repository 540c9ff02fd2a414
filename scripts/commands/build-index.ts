/** `bergson index`: builds the index that makes queries of large runs fast. */
import type { CommandModule } from 'yargs';
import { BergsonError } from '../../lib/errors';
import { Run } from '../../lib/run/run';
import { buildIndex, RECALL_THRESHOLD, type BuiltIndex } from '../../lib/search/open-index';
import { readProjectedRecord } from '../../lib/search/projected-format';
import { GradientStoreReader } from '../../lib/store/reader';
import { startProgress } from '../terminal/progress-bar';

interface IndexArguments {
  run: string;
  store?: string;
  recall: number;
  force: boolean;
  json: boolean;
}

export const indexCommand: CommandModule<object, IndexArguments> = {
  command: 'index <run>',
  describe: 'Build the index of a run, and measure what it finds against exact search',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch to index, such as epoch_1; default: accumulated, or the last',
      })
      .option('recall', {
        type: 'number',
        default: RECALL_THRESHOLD,
        requiresArg: true,
        describe:
          'Share of the best 10 to be found, certain at 95 % confidence: as many rows are looked at as that takes',
      })
      .option('force', { type: 'boolean', default: false, describe: 'Build it again where there is one' })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .example('$0 index runs/demo', 'Index the store that queries search by default')
      .example('$0 index runs/demo --store epoch_0 --force', 'Index the first epoch again'),
  handler: async ({ run, store, recall, force, json }) => {
    const directory = Run.open(run).storeDirectory(store);
    const { rows, record: existing } = examine(directory);
    const built = force || existing === undefined;
    const record = built ? await build(directory, rows, recall) : existing;
    console.log(
      json
        ? JSON.stringify(toOutcome(directory, built, record), undefined, 2)
        : describe(directory, built, record),
    );
  },
};

/** How many rows a store holds, and its index if that is of use. */
function examine(directory: string): { rows: number; record: BuiltIndex | undefined } {
  const store = GradientStoreReader.open(directory);
  try {
    return { rows: store.rowsWritten, record: readProjectedRecord(store) };
  } catch (error) {
    // An index that is damaged or of other gradients is as good as none.
    if (error instanceof BergsonError) return { rows: store.rowsWritten, record: undefined };
    throw error;
  } finally {
    store.close();
  }
}

async function build(directory: string, rows: number, recall: number): Promise<BuiltIndex> {
  const progress = startProgress('indexing', rows);
  try {
    return await buildIndex(directory, {
      recall,
      onProgress: (done) => {
        progress.update(done);
      },
    });
  } finally {
    progress.stop();
  }
}

function toOutcome(store: string, built: boolean, { count, certificate }: BuiltIndex) {
  return { store, built, rows: count, certificate: certificate ?? null };
}

function describe(store: string, built: boolean, { count, certificate }: BuiltIndex): string {
  const what = `${store}: ${built ? 'indexed' : 'the index is up to date (--force builds it again);'} ${count} rows`;
  if (certificate === undefined) return `${what}; its recall was never measured`;
  const { k, recall, lowerBound } = certificate;
  const use =
    lowerBound >= RECALL_THRESHOLD
      ? 'queries use it'
      : `short of ${RECALL_THRESHOLD}: queries search exactly`;
  return `${what}; recall@${k} ${recall.toFixed(3)}, at least ${lowerBound.toFixed(3)} at 95 % confidence; ${use}`;
}
