/**
 * The autocorrelation of a store's rows, summed while they are written, and kept beside them, so that a preconditioner is
 * fitted without reading them again. Bytes: docs/format.md.
 */
import fs from 'node:fs';
import { CorruptRecordError, PreconditionerMismatchError } from '../errors';
import { storeChecksum } from '../search/hnsw-format';
import { guardWrite } from '../store/disk';
import { describeColumns, type Column } from '../store/format';
import { GradientStoreReader } from '../store/reader';
import { isMap, readRecord, sha256, writeRecord } from '../store/record-file';
import { SafetensorsFile, writeSafetensors, type SafetensorsTensor } from '../store/safetensors';
import type { RowObserver } from '../store/writer';
import { AutocorrelationSum, type Autocorrelation } from './autocorrelation';
import { preconditionerPaths } from './preconditioner-files';

const KIND = { kind: 'autocorrelation', version: 1 };

interface AutocorrelationRecord {
  readonly columns: readonly Column[];
  readonly examples: number;
  /** The checksum of the rows that it is of. */
  readonly storeSha256: string;
  /** Of autocorrelation.safetensors. */
  readonly sha256: string;
}

/** Sums products of rows as a store is written. Memory is the widths squared. */
export class CollectedAutocorrelation implements RowObserver {
  private readonly sum: AutocorrelationSum;
  private replaced = false;

  /** @throws AutocorrelationWidthError */
  constructor(columns: readonly Column[]) {
    this.sum = new AutocorrelationSum(columns);
  }

  add(rows: Float32Array): void {
    if (!this.replaced) this.sum.add(rows);
  }

  /** Adds the rows that a killed writer left in `directory`: one pass over them. */
  async addWritten(directory: string): Promise<void> {
    const store = GradientStoreReader.open(directory);
    try {
      if (store.rowsWritten > 0) await this.sum.addStore(store);
    } finally {
      store.close();
    }
  }

  /** What was added cannot be taken away again: nothing is kept then. */
  replace(): void {
    this.replaced = true;
  }

  /** Keeps it beside the sealed store in `directory`, unless a row was replaced. @throws NonFiniteValueError, DiskWriteError */
  keep(directory: string): void {
    if (this.replaced) return;
    const { columns, examples, matrices } = this.sum.mean();
    const store = GradientStoreReader.open(directory);
    store.close();
    const files = preconditionerPaths(directory);
    guardWrite(files.directory, 0, () => {
      fs.mkdirSync(files.directory, { recursive: true });
      fs.rmSync(files.autocorrelationRecord, { force: true });
    });
    const tensors: Record<string, SafetensorsTensor> = {};
    columns.forEach(({ layer, width }, i) => {
      tensors[layer] = { dtype: 'F64', shape: [width, width], data: matrices[i] ?? new Float64Array() };
    });
    writeSafetensors(files.autocorrelation, tensors);
    const digest = sha256(fs.readFileSync(files.autocorrelation));
    const record: AutocorrelationRecord = {
      ...{ columns, examples },
      ...{ storeSha256: storeChecksum(store), sha256: digest },
    };
    writeRecord(files.autocorrelationRecord, KIND, record);
  }

  dispose(): void {
    this.sum.dispose();
  }
}

/**
 * What was summed while `store` was written; undefined if nothing was.
 * @throws PreconditionerMismatchError if it is of other rows or its file is damaged; CorruptRecordError, UnsupportedVersionError
 */
export function readCollected(store: GradientStoreReader): Autocorrelation | undefined {
  const files = preconditionerPaths(store.directory);
  if (!fs.existsSync(files.autocorrelationRecord)) return undefined;
  const { payload } = readRecord(files.autocorrelationRecord, KIND);
  if (!isRecord(payload))
    throw new CorruptRecordError(
      files.autocorrelationRecord,
      'payload',
      'an autocorrelation',
      typeof payload,
    );
  const { columns, examples } = payload;
  const content = fs.existsSync(files.autocorrelation)
    ? fs.readFileSync(files.autocorrelation)
    : Buffer.alloc(0);
  for (const [file, field, expected, found] of [
    [files.autocorrelationRecord, 'checksum of rows', storeChecksum(store), payload.storeSha256],
    [files.autocorrelationRecord, 'columns', describeColumns(store.columns), describeColumns(columns)],
    [files.autocorrelation, 'sha256', payload.sha256, sha256(content)],
  ] as const) {
    if (expected !== found) throw new PreconditionerMismatchError(file, field, expected, found);
  }
  const tensors = SafetensorsFile.open(files.autocorrelation);
  try {
    return {
      examples,
      columns,
      matrices: columns.map(({ layer }) => tensors.read(layer).data as Float64Array),
    };
  } finally {
    tensors.close();
  }
}

function isRecord(payload: unknown): payload is AutocorrelationRecord {
  return (
    isMap(payload) &&
    Array.isArray(payload.columns) &&
    typeof payload.examples === 'number' &&
    typeof payload.storeSha256 === 'string' &&
    typeof payload.sha256 === 'string'
  );
}
