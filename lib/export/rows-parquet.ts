/** Rows as a Parquet table: `example`, `position` of tokens, lists of float32, `record` as JSON. */
import type { Run } from '../run/run';
import type { GradientStoreReader } from '../store/reader';
import { ParquetFile, type ParquetColumn } from './parquet-file';
import { listsOf, rowTables, type RowsBy } from './row-table';

/** Rows that were never written are left out. @throws DiskWriteError */
export async function writeRowsParquet(
  path: string,
  run: Run,
  store: GradientStoreReader,
  by: RowsBy,
  onProgress?: (rows: number) => void,
): Promise<void> {
  const widths = listsOf(store, by).map(({ width }) => width);
  const columns: ParquetColumn[] = [
    { name: 'example', type: 'INT32' },
    ...(store.tokens === undefined ? [] : [{ name: 'position', type: 'INT32' as const }]),
    ...listsOf(store, by).map(({ layer }) => ({ name: layer, type: 'FLOAT_LIST' as const })),
    ...(run.hasRecords ? [{ name: 'record', type: 'STRING' as const }] : []),
  ];
  const file = await ParquetFile.create(path, columns);
  let done = 0;
  try {
    for (const { examples, positions, lists, records } of rowTables(run, store, by)) {
      const cut = lists.map((values, list) => {
        const width = widths[list] ?? 0;
        return examples.map((_, i) => values.subarray(i * width, (i + 1) * width));
      });
      await file.write([
        Int32Array.from(examples),
        ...(positions === undefined ? [] : [Int32Array.from(positions)]),
        ...cut,
        ...(records === undefined ? [] : [records]),
      ]);
      done += examples.length;
      onProgress?.(done);
    }
    await file.finish();
  } finally {
    file.abort();
  }
}
