/** Rows between memory (float32) and disk (float32 or float16); checks on the way in. */
import { Float16OverflowError, NonFiniteValueError } from '../errors';
import { decodeFloat16, encodeFloat16 } from './float16';
import { layerOfColumn, rowWidth, type StoreLayout } from './format';

/** An array of `rows` rows as they lie on disk. */
export function allocateRows(layout: StoreLayout, rows: number): Float32Array | Uint16Array {
  const length = rows * rowWidth(layout);
  return layout.dtype === 'float32' ? new Float32Array(length) : new Uint16Array(length);
}

/** The bytes under `stored`, not copied. */
export function bytesOf(stored: Float32Array | Uint16Array): Uint8Array {
  return new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
}

/**
 * Encodes one `row` [width] of `example` into `out` [width], as it will lie on disk. Throws
 * {@link NonFiniteValueError} or {@link Float16OverflowError}, naming the layer.
 */
export function encodeRow(
  layout: StoreLayout,
  example: number,
  row: Float32Array,
  out: Float32Array | Uint16Array,
): void {
  checkFinite(layout, example, row);
  if (out instanceof Float32Array) {
    out.set(row);
    return;
  }
  const overflow = encodeFloat16(row, out);
  if (overflow < 0) return;
  throw new Float16OverflowError(layerOfColumn(layout, overflow), example, row[overflow] ?? NaN);
}

/** The float32 values of `stored`: itself, or decoded into `out`, which is then returned. */
export function decodeRows(stored: Float32Array | Uint16Array, out: Float32Array): Float32Array {
  if (stored instanceof Float32Array) return stored;
  decodeFloat16(stored, out);
  return out;
}

function checkFinite(layout: StoreLayout, example: number, row: Float32Array): void {
  let sum = 0;
  for (const value of row) sum += value * 0; // 0 times infinity or NaN is NaN, and stays
  if (sum === 0) return;
  const column = row.findIndex((value) => !Number.isFinite(value));
  throw new NonFiniteValueError('the gradient', row[column] ?? NaN, layerOfColumn(layout, column), example);
}
