/** Parquet files. The only importer of hyparquet, which is loaded when the first file is read. */
import type { AsyncBuffer, Compressors, FileMetaData } from 'hyparquet';
import { guard } from './guard';
import type { Row, RowSource } from './row-source';

interface ParquetFile {
  readonly buffer: AsyncBuffer;
  readonly metadata: FileMetaData;
  readonly columns: readonly string[];
  readonly compressors: Compressors;
}

/** The rows of a Parquet file. Memory holds the columns asked for of one row group. */
export function openParquet(file: string): RowSource {
  let opened: Promise<ParquetFile> | undefined;
  const open = (): Promise<ParquetFile> => (opened ??= readMetadata(file));
  return {
    format: 'Parquet',

    async count() {
      return Number((await open()).metadata.num_rows);
    },

    async *rows(start, end, columns) {
      const parquet = await open();
      let first = 0;
      for (const [i, group] of parquet.metadata.row_groups.entries()) {
        const next = first + Number(group.num_rows);
        const [rowStart, rowEnd] = [Math.max(start, first), Math.min(end, next)];
        if (rowStart < rowEnd) {
          yield* await guard(file, `row group ${i}`, () => readGroup(parquet, rowStart, rowEnd, columns));
        }
        first = next;
      }
    },
  };
}

async function readMetadata(file: string): Promise<ParquetFile> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetSchema } = await import('hyparquet');
  const { compressors } = await import('hyparquet-compressors');
  return guard(file, 'its metadata', async () => {
    const buffer = await asyncBufferFromFile(file);
    const metadata = await parquetMetadataAsync(buffer);
    const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
    return { buffer, metadata, columns, compressors };
  });
}

async function readGroup(
  { buffer, metadata, columns: present, compressors }: ParquetFile,
  rowStart: number,
  rowEnd: number,
  wanted: readonly string[] = present,
): Promise<Row[]> {
  const { parquetReadObjects } = await import('hyparquet');
  const columns = wanted.filter((column) => present.includes(column));
  // Without columns it would read all of them.
  if (columns.length === 0) return Array.from({ length: rowEnd - rowStart }, () => ({}));
  return parquetReadObjects({ file: buffer, metadata, rowStart, rowEnd, columns, compressors });
}
