/** Parquet files, written a row group at a time. The only importer of hyparquet-writer, which is loaded for the first file. */
import type { SchemaElement } from 'hyparquet';
import type { ParquetWriter } from 'hyparquet-writer';
import { AtomicFile } from '../store/atomic-file';

/** A column: numbers, texts, or in each row a list of float32. */
export interface ParquetColumn {
  readonly name: string;
  readonly type: 'INT32' | 'FLOAT' | 'STRING' | 'FLOAT_LIST';
}

export type ParquetValues = Int32Array | Float32Array | readonly string[] | readonly Float32Array[];

export class ParquetFile {
  private constructor(
    private readonly file: AtomicFile,
    private readonly columns: readonly ParquetColumn[],
    private readonly writer: ParquetWriter,
    private readonly flush: () => void,
  ) {}

  /** @throws DiskWriteError */
  static async create(path: string, columns: readonly ParquetColumn[]): Promise<ParquetFile> {
    const { ByteWriter, ParquetWriter } = await import('hyparquet-writer');
    const file = AtomicFile.create(path);
    const bytes = new ByteWriter();
    const flush = () => {
      file.write(new Uint8Array(bytes.buffer, 0, bytes.index));
      bytes.index = 0;
    };
    const schema: SchemaElement[] = [
      { name: 'root', num_children: columns.length },
      ...columns.flatMap(schemaOf),
    ];
    // Gradients and scores do not compress: dictionaries and statistics of them would only take time.
    const writer = new ParquetWriter({ writer: bytes, schema, codec: 'UNCOMPRESSED', statistics: false });
    return new ParquetFile(file, columns, writer, flush);
  }

  /** Appends a row group of the columns' values, each [rows]. @throws DiskWriteError */
  async write(values: readonly ParquetValues[]): Promise<void> {
    const rows = values[0]?.length ?? 0;
    if (rows === 0) return;
    const columnData = this.columns.map(({ name, type }, i) => ({
      name,
      data: toData(type, values[i] ?? []),
      encoding: 'PLAIN' as const,
    }));
    await this.writer.write({ columnData, rowGroupSize: rows });
    this.flush();
  }

  /** Puts the file in its place. @throws DiskWriteError */
  async finish(): Promise<void> {
    await this.writer.finish();
    this.flush();
    this.file.finish();
  }

  /** Removes what was written, unless it is finished. */
  abort(): void {
    this.file.abort();
  }
}

function toData(type: ParquetColumn['type'], values: ParquetValues) {
  return type === 'FLOAT_LIST'
    ? Array.from(values as readonly Float32Array[], (row) => Array.from(row))
    : (values as Int32Array | Float32Array | string[]);
}

function schemaOf({ name, type }: ParquetColumn): SchemaElement[] {
  if (type === 'STRING') {
    return [{ name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }];
  }
  if (type !== 'FLOAT_LIST') return [{ name, type, repetition_type: 'REQUIRED' }];
  return [
    { name, converted_type: 'LIST', repetition_type: 'REQUIRED', num_children: 1 },
    { name: 'list', repetition_type: 'REPEATED', num_children: 1 },
    { name: 'element', type: 'FLOAT', repetition_type: 'REQUIRED' },
  ];
}
