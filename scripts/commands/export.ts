/** `bergson export`: a run's rows, or its training order, in the formats of others. */
import fs from 'node:fs';
import type { ArgumentsCamelCase, CommandModule } from 'yargs';
import { ExportError, OutputExistsError } from '../../lib/errors';
import { writeNpy } from '../../lib/export/npy';
import { writeOrderParquet } from '../../lib/export/order-parquet';
import type { RowsBy } from '../../lib/export/row-table';
import { writeRowsParquet } from '../../lib/export/rows-parquet';
import { writeSavedDataset } from '../../lib/export/saved-dataset';
import { Run } from '../../lib/run/run';
import { GradientStoreReader } from '../../lib/store/reader';
import { startProgress } from '../terminal/progress-bar';

type Format = 'parquet' | 'npy' | 'hf';

interface ExportArguments {
  run: string;
  out: string;
  what: 'rows' | 'order';
  format?: Format;
  store?: string;
  by?: RowsBy;
  json: boolean;
}

export const exportCommand: CommandModule<object, ExportArguments> = {
  command: 'export <run> <out>',
  describe: 'Write the rows of a run, or its training order, as Parquet, npy, or a Hugging Face data set',
  builder: (yargs) =>
    yargs
      .positional('run', { type: 'string', demandOption: true, describe: 'Directory of the run' })
      .positional('out', { type: 'string', demandOption: true, describe: 'What to write; not there yet' })
      .option('what', {
        choices: ['rows', 'order'] as const,
        default: 'rows' as const,
        describe: 'Gradients by example, or which step saw which example',
      })
      .option('format', {
        choices: ['parquet', 'npy', 'hf'] as const,
        describe: 'Default: by the extension of OUT, .parquet or .npy; else a folder for `load_from_disk`',
      })
      .option('store', {
        type: 'string',
        requiresArg: true,
        describe: 'Which epoch, such as epoch_1; default: accumulated, or the last',
      })
      .option('by', {
        choices: ['row', 'layer'] as const,
        describe:
          'One list of numbers, gradients, or one for each layer; default: row for hf, as Bergson has it, layer for parquet',
      })
      .option('json', { type: 'boolean', default: false, describe: 'Print the outcome as JSON' })
      .example('$0 export runs/demo rows.parquet', 'A list of numbers for each layer, and the records')
      .example('$0 export runs/demo rows.npy', 'One matrix; rows that are not there are NaN')
      .example(
        '$0 export runs/demo rows',
        'A folder for `datasets.load_from_disk`, with a column `gradients`',
      )
      .example('$0 export runs/demo order.parquet --what order', 'Columns step, epoch and example'),
  handler: exportRun,
};

async function exportRun(args: ArgumentsCamelCase<ExportArguments>): Promise<void> {
  const { out, what, json } = args;
  const format = args.format ?? formatOf(out);
  const run = Run.open(args.run);
  if (fs.existsSync(out)) throw new OutputExistsError(out);
  const rows =
    what === 'order' ? await exportOrder(run, out, format) : await exportRows(run, out, format, args);
  const outcome = { path: out, what, format, rows };
  console.log(json ? JSON.stringify(outcome, undefined, 2) : `${out}: ${rows} rows as ${format}`);
}

async function exportOrder(run: Run, out: string, format: Format): Promise<number> {
  const order = run.trainingOrder();
  if (order === undefined) throw new ExportError(run.path, 'it did not track the order of training');
  if (format !== 'parquet')
    throw new ExportError(run.path, `its order is written as parquet, not as ${format}`);
  return writeOrderParquet(out, order);
}

async function exportRows(
  run: Run,
  out: string,
  format: Format,
  { store: name, by = format === 'parquet' ? 'layer' : 'row' }: Pick<ExportArguments, 'store' | 'by'>,
): Promise<number> {
  if (format === 'npy' && by === 'layer')
    throw new ExportError(run.path, 'npy is one matrix: leave --by out');
  const store = GradientStoreReader.open(run.storeDirectory(name));
  const progress = startProgress('exporting', store.rows);
  const onProgress = (rows: number) => {
    progress.update(rows);
  };
  try {
    if (format === 'npy') writeNpy(out, store, onProgress);
    else if (format === 'parquet') await writeRowsParquet(out, run, store, by, onProgress);
    else await writeSavedDataset(out, run, store, by, onProgress);
    return format === 'npy' ? store.rows : store.rowsWritten;
  } finally {
    progress.stop();
    store.close();
  }
}

function formatOf(out: string): Format {
  if (out.endsWith('.parquet')) return 'parquet';
  return out.endsWith('.npy') ? 'npy' : 'hf';
}
