/** The training order as a Parquet table: a row for each time that a step saw an example. */
import type { TrainingOrderReader } from '../store/training-order';
import { ParquetFile } from './parquet-file';

/** Rows of a row group. */
const GROUP = 1 << 16;

/** Columns `step`, `epoch` and `example`, in the order of training. Resolves to its rows. @throws DiskWriteError, CorruptRecordError */
export async function writeOrderParquet(path: string, order: TrainingOrderReader): Promise<number> {
  const names = ['step', 'epoch', 'example'];
  const file = await ParquetFile.create(
    path,
    names.map((name) => ({ name, type: 'INT32' as const })),
  );
  let columns: [steps: number[], epochs: number[], examples: number[]] = [[], [], []];
  let rows = 0;
  const flush = async () => {
    rows += columns[0].length;
    await file.write(columns.map((values) => Int32Array.from(values)));
    columns = [[], [], []];
  };
  try {
    for (const { step, epoch, examples } of order.batches()) {
      for (const example of examples) {
        columns[0].push(step);
        columns[1].push(epoch);
        columns[2].push(example);
      }
      if (columns[0].length >= GROUP) await flush();
    }
    await flush();
    await file.finish();
    return rows;
  } finally {
    file.abort();
  }
}
