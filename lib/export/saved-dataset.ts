/** Rows as a folder that Hugging Face's `datasets.load_from_disk` opens: an Arrow stream, and two files that describe it. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { Data, DataType, RecordBatch } from 'apache-arrow';
import { OutputExistsError } from '../errors';
import type { Run } from '../run/run';
import { AtomicFile } from '../store/atomic-file';
import { guardWrite, writeFileAtomic } from '../store/disk';
import { encodeFloat16 } from '../store/float16';
import type { GradientStoreReader } from '../store/reader';
import { listsOf, rowTables, type RowsBy, type RowTable } from './row-table';

const DATA = 'data-00000-of-00001.arrow';

type Arrow = typeof import('apache-arrow');

/**
 * Writes columns `example` (int64), `position` of tokens, lists of fixed size in the dtype that holds their values, and `record`
 * (JSON). Rows that were never written are left out. The folder is renamed into place last.
 * @throws OutputExistsError, DiskWriteError
 */
export async function writeSavedDataset(
  folder: string,
  run: Run,
  store: GradientStoreReader,
  by: RowsBy,
  onProgress?: (rows: number) => void,
): Promise<void> {
  if (fs.existsSync(folder)) throw new OutputExistsError(folder);
  const part = `${folder}.part`;
  guardWrite(part, 0, () => {
    fs.rmSync(part, { recursive: true, force: true });
    fs.mkdirSync(part, { recursive: true });
  });
  try {
    const fingerprint = await writeRows(path.join(part, DATA), run, store, by, onProgress);
    const json = (name: string, value: unknown) => {
      writeFileAtomic(path.join(part, name), [Buffer.from(JSON.stringify(value, undefined, 2))]);
    };
    json('dataset_info.json', {
      citation: '',
      description: '',
      features: features(run, store, by),
      homepage: '',
      license: '',
    });
    json('state.json', {
      _data_files: [{ filename: DATA }],
      _fingerprint: fingerprint,
      _format_columns: null,
      _format_kwargs: {},
      _format_type: null,
      _output_all_columns: false,
      _split: null,
    });
    guardWrite(folder, 0, () => {
      fs.renameSync(part, folder);
    });
  } catch (error) {
    fs.rmSync(part, { recursive: true, force: true });
    throw error;
  }
}

/** Resolves to a fingerprint of the rows. */
async function writeRows(
  file: string,
  run: Run,
  store: GradientStoreReader,
  by: RowsBy,
  onProgress?: (rows: number) => void,
): Promise<string> {
  const arrow = await import('apache-arrow');
  const out = AtomicFile.create(file);
  const hash = createHash('sha256');
  /** What the writer hands over goes to disk at once, not into a queue. */
  class FileSink extends arrow.AsyncByteQueue {
    override write(value: Uint8Array): void {
      hash.update(value);
      out.write(value);
    }
  }
  try {
    const batches = batchesOf(arrow, run, store, by);
    const writer = new arrow.RecordBatchStreamWriter({ autoDestroy: false });
    writer.reset(new FileSink(), batches.schema);
    let done = 0;
    for (const batch of batches.all()) {
      writer.write(batch);
      done += batch.numRows;
      onProgress?.(done);
    }
    writer.finish();
    out.finish();
    return hash.digest('hex').slice(0, 16);
  } finally {
    out.abort();
  }
}

/** The record batches of all rows, each a block of the store. */
function batchesOf(arrow: Arrow, run: Run, store: GradientStoreReader, by: RowsBy) {
  const half = store.valueDtype === 'float16';
  const number = half ? new arrow.Float16() : new arrow.Float32();
  const field = (name: string, type: DataType) => new arrow.Field(name, type, true);
  const columns = listsOf(store, by);
  const types = columns.map(({ width }) => new arrow.FixedSizeList(width, field('item', number)));
  const fields = [
    field('example', new arrow.Int64()),
    ...(store.tokens === undefined ? [] : [field('position', new arrow.Int64())]),
    ...columns.map(({ layer }, i) => field(layer, types[i] as DataType)),
    ...(run.hasRecords ? [field('record', new arrow.Utf8())] : []),
  ];
  const schema = new arrow.Schema(fields);

  const integers = (values: readonly number[]): Data =>
    arrow.makeData({ type: new arrow.Int64(), data: BigInt64Array.from(values, BigInt) });
  const numbers = (values: Float32Array): Data => {
    if (!half) return arrow.makeData({ type: new arrow.Float32(), data: values });
    const halves = new Uint16Array(values.length);
    encodeFloat16(values, halves);
    return arrow.makeData({ type: new arrow.Float16(), data: halves });
  };
  const toBatch = ({ examples, positions, lists, records }: RowTable): RecordBatch => {
    const length = examples.length;
    const children = [
      integers(examples),
      ...(positions === undefined ? [] : [integers(positions)]),
      ...lists.map((values, i) =>
        arrow.makeData({
          type: types[i] as InstanceType<Arrow['FixedSizeList']>,
          length,
          nullCount: 0,
          child: numbers(values),
        }),
      ),
      ...(records === undefined ? [] : [texts(arrow, records)]),
    ];
    const data = arrow.makeData({ type: new arrow.Struct(fields), length, nullCount: 0, children });
    return new arrow.RecordBatch(schema, data);
  };
  return {
    schema,
    *all(): Generator<RecordBatch, void, undefined> {
      for (const table of rowTables(run, store, by)) yield toBatch(table);
    },
  };
}

function texts(arrow: Arrow, values: readonly string[]): Data {
  const encoded = values.map((value) => Buffer.from(value));
  const valueOffsets = new Int32Array(values.length + 1);
  encoded.forEach(({ length }, i) => {
    valueOffsets[i + 1] = (valueOffsets[i] ?? 0) + length;
  });
  return arrow.makeData({
    type: new arrow.Utf8(),
    length: values.length,
    nullCount: 0,
    valueOffsets,
    data: Buffer.concat(encoded),
  });
}

/** In the words of `datasets`; every release of it reads `Sequence`. */
function features(run: Run, store: GradientStoreReader, by: RowsBy): Record<string, unknown> {
  const { valueDtype: dtype, tokens } = store;
  const value = (name: string) => ({ dtype: name, _type: 'Value' });
  return Object.fromEntries([
    ['example', value('int64')],
    ...(tokens === undefined ? [] : [['position', value('int64')]]),
    ...listsOf(store, by).map(({ layer, width }) => [
      layer,
      { feature: value(dtype), length: width, _type: 'Sequence' },
    ]),
    ...(run.hasRecords ? [['record', value('string')]] : []),
  ]) as Record<string, unknown>;
}
