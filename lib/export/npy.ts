/** numpy's `.npy`: all rows as one matrix [rows, width], in the dtype that holds the store's values. */
import { AtomicFile } from '../store/atomic-file';
import { encodeFloat16 } from '../store/float16';
import type { GradientStoreReader } from '../store/reader';

/** Writes row i as row i; rows that were never written are NaN. @throws DiskWriteError */
export function writeNpy(
  path: string,
  store: GradientStoreReader,
  onProgress?: (rows: number) => void,
): void {
  const { rows, width, valueDtype: dtype } = store;
  const file = AtomicFile.create(path);
  try {
    file.write(header(dtype === 'float16' ? '<f2' : '<f4', rows, width));
    for (const block of store.blocks()) {
      for (let i = 0; i < block.count; i++) {
        if (!store.isWritten(block.first + i)) block.rows.fill(NaN, i * width, (i + 1) * width);
      }
      file.write(dtype === 'float16' ? halves(block.rows) : bytesOf(block.rows));
      onProgress?.(block.first + block.count);
    }
    file.finish();
  } finally {
    file.abort();
  }
}

function header(dtype: string, rows: number, width: number): Uint8Array {
  const facts = `{'descr': '${dtype}', 'fortran_order': False, 'shape': (${rows}, ${width}), }`;
  // Magic string, version 1.0, length of what follows: all together a multiple of 64 bytes, the last a line break.
  const length = Math.ceil((10 + facts.length + 1) / 64) * 64 - 10;
  const bytes = Buffer.alloc(10 + length, ' ');
  bytes.write('\u0093NUMPY\u0001\u0000', 'latin1');
  bytes.writeUInt16LE(length, 8);
  bytes.write(facts, 10, 'latin1');
  bytes.write('\n', 9 + length, 'latin1');
  return bytes;
}

/** Every value came from float16, and goes back exactly. */
function halves(values: Float32Array): Uint8Array {
  const out = new Uint16Array(values.length);
  encodeFloat16(values, out);
  return bytesOf(out);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
