/** Rows as a Parquet table: `example`, `position` of tokens, a list of float32 for each layer, `record` as JSON. */
import type { Run } from '../run/run';
import type { GradientStoreReader } from '../store/reader';
import { ParquetFile, type ParquetColumn } from './parquet-file';
import { rowTables } from './row-table';

/** Rows that were never written are left out. @throws DiskWriteError */
export async function writeRowsParquet(
  path: string,
  run: Run,
  store: GradientStoreReader,
  onProgress?: (rows: number) => void,
): Promise<void> {
  const columns: ParquetColumn[] = [
    { name: 'example', type: 'INT32' },
    ...(store.tokens === undefined ? [] : [{ name: 'position', type: 'INT32' as const }]),
    ...store.columns.map(({ layer }) => ({ name: layer, type: 'FLOAT_LIST' as const })),
    ...(run.hasRecords ? [{ name: 'record', type: 'STRING' as const }] : []),
  ];
  const file = await ParquetFile.create(path, columns);
  let done = 0;
  try {
    for (const { examples, positions, layers, records } of rowTables(run, store)) {
      const lists = layers.map((values, layer) => {
        const width = store.columns[layer]?.width ?? 0;
        return examples.map((_, i) => values.subarray(i * width, (i + 1) * width));
      });
      await file.write([
        Int32Array.from(examples),
        ...(positions === undefined ? [] : [Int32Array.from(positions)]),
        ...lists,
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
