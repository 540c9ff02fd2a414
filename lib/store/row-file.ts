/** Bytes of rows from a gradients.bin that is open. */
import path from 'node:path';
import { CorruptStoreError } from '../errors';
import { readFully } from './disk';
import { STORE_FILES, type RowDtype } from './format';

/** Plain values: another thread of the process reads from the same descriptor, for as long as its owner keeps it open. */
export interface RowFile {
  readonly directory: string;
  readonly descriptor: number;
  readonly rows: number;
  /** Numbers in a row. */
  readonly width: number;
  readonly dtype: RowDtype;
  /** What each row of float16 is multiplied by: [rows], shared between threads; undefined where all are 1. */
  readonly scales?: Float32Array | undefined;
}

/** Fills `bytes` with rows as they lie on disk, from row `first` on. Throws {@link CorruptStoreError} where they end early. */
export function readRowBytes(
  { directory, descriptor, rows, width, dtype }: RowFile,
  first: number,
  bytes: Uint8Array,
): void {
  const bytesOfRow = width * (dtype === 'float32' ? 4 : 2);
  const position = first * bytesOfRow;
  const found = readFully(descriptor, bytes, position);
  if (found === bytes.byteLength) return;
  throw new CorruptStoreError(
    path.join(directory, STORE_FILES.gradients),
    'bytes',
    rows * bytesOfRow,
    position + found,
  );
}
