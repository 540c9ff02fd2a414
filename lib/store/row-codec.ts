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
 * The rows [n, width] of `examples` [n] as they will lie on disk: `rows` itself if that is float32. Throws
 * {@link NonFiniteValueError} or {@link Float16OverflowError}, naming layer and example.
 */
export function encodeRows(
  layout: StoreLayout,
  examples: Int32Array,
  rows: Float32Array,
): Float32Array | Uint16Array {
  const locate = (position: number) => {
    const width = rowWidth(layout);
    const layer = layerOfColumn(layout, position % width);
    return { layer, example: examples[Math.floor(position / width)] ?? -1, value: rows[position] ?? NaN };
  };
  if (!allFinite(rows)) {
    const { layer, example, value } = locate(rows.findIndex((value) => !Number.isFinite(value)));
    throw new NonFiniteValueError('the gradient', value, layer, example);
  }
  if (layout.dtype === 'float32') return rows;
  const halves = new Uint16Array(rows.length);
  const overflow = encodeFloat16(rows, halves);
  if (overflow < 0) return halves;
  const { layer, example, value } = locate(overflow);
  throw new Float16OverflowError(layer, example, value);
}

/** Squares of numbers, summed: of all that were written, and of what rounding took from them. */
export interface Energy {
  readonly total: number;
  readonly lost: number;
}

/** The energy of `rows`, and what of it is lost in `stored`, which is what {@link encodeRows} made of them. */
export function energyOf(rows: Float32Array, stored: Float32Array | Uint16Array): Energy {
  const kept = decodeRows(stored, stored instanceof Float32Array ? stored : new Float32Array(rows.length));
  let [total, lost] = [0, 0];
  for (let i = 0; i < rows.length; i++) {
    const value = rows[i] ?? NaN;
    const difference = value - (kept[i] ?? NaN);
    total += value * value;
    lost += difference * difference;
  }
  return { total, lost };
}

/** The float32 values of `stored`: itself, or decoded into `out`, which is then returned. */
export function decodeRows(stored: Float32Array | Uint16Array, out: Float32Array): Float32Array {
  if (stored instanceof Float32Array) return stored;
  decodeFloat16(stored, out);
  return out;
}

function allFinite(values: Float32Array): boolean {
  // 0 times infinity or NaN is NaN, and stays. Two sums, since each addition waits for the one before it.
  let even = 0;
  let odd = 0;
  for (let i = 0; i < values.length; i += 2) {
    even += (values[i] ?? 0) * 0;
    odd += (values[i + 1] ?? 0) * 0;
  }
  return even + odd === 0;
}
