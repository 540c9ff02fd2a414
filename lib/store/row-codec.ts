/** Rows between memory (float32) and disk (float32, or float16 with a scale); checks on the way in. */
import { NonFiniteValueError } from '../errors';
import { decodeFloat16, encodeFloat16 } from './float16';
import { layerOfColumn, rowWidth, type StoreLayout } from './format';

/**
 * What rounding to float16's 11 bits takes from a number at most. A row has a scale other than 1 where otherwise one of its
 * numbers would lose more than that of the row's largest, or the row more than its square of the sum of squares.
 */
const ROUNDOFF = 2 ** -11;

/** A scale brings a row's largest magnitude to 2^14 up to 2^15: no rounding overflows, little underflows. */
const TOP_EXPONENT = 14;

/** The smallest exponent of a float32 that is not subnormal. */
const LEAST_EXPONENT = -126;

/** With the largest scale, 2^113, float16's 2^15 is beyond float32. */
const LARGEST_SCALE = 2 ** (127 - TOP_EXPONENT);
const BITS_OF_TWICE_THE_TOP = 0x7800;

/** An array of `rows` rows as they lie on disk. */
export function allocateRows(layout: StoreLayout, rows: number): Float32Array | Uint16Array {
  const length = rows * rowWidth(layout);
  return layout.dtype === 'float32' ? new Float32Array(length) : new Uint16Array(length);
}

/** Squares of numbers, summed: of all that were written, and of what rounding took from them. */
export interface Energy {
  readonly total: number;
  readonly lost: number;
}

/** Rows as they will lie on disk. */
export interface EncodedRows {
  /** [n, width]. */
  readonly stored: Float32Array | Uint16Array;
  /** What each row of float16 is to be multiplied by, a power of two: [n]; null for float32. */
  readonly scales: Float32Array | null;
  readonly energy: Energy;
}

/**
 * The rows [n, width] of `examples` [n] as they will lie on disk: `rows` itself if that is float32. Throws
 * {@link NonFiniteValueError}, naming layer and example.
 */
export function encodeRows(layout: StoreLayout, examples: Int32Array, rows: Float32Array): EncodedRows {
  const width = rowWidth(layout);
  if (!allFinite(rows)) {
    const position = rows.findIndex((value) => !Number.isFinite(value));
    const layer = layerOfColumn(layout, position % width);
    const example = examples[Math.floor(position / width)] ?? -1;
    throw new NonFiniteValueError('the gradient', rows[position] ?? NaN, layer, example);
  }
  if (layout.dtype === 'float32') return { stored: rows, scales: null, energy: { total: 0, lost: 0 } };
  const stored = new Uint16Array(rows.length);
  const scales = new Float32Array(examples.length);
  const encoder = new HalfEncoder(width);
  let [total, lost] = [0, 0];
  for (let i = 0; i < scales.length; i++) {
    const [begin, end] = [i * width, (i + 1) * width];
    const encoded = encoder.encode(rows.subarray(begin, end), stored.subarray(begin, end));
    scales[i] = encoded.scale;
    total += encoded.total;
    lost += encoded.lost;
  }
  return { stored, scales, energy: { total, lost } };
}

class HalfEncoder {
  private readonly scaled: Float32Array;

  constructor(width: number) {
    this.scaled = new Float32Array(width);
  }

  /** Writes `row`, divided by the scale that is returned, to `halves`. */
  encode(row: Float32Array, halves: Uint16Array): { scale: number } & Energy {
    encodeFloat16(row, halves);
    const plain = this.measure(row, halves, 1);
    const { largest, worst, total, lost } = plain;
    if (worst <= ROUNDOFF * largest && lost <= ROUNDOFF ** 2 * total) return { scale: 1, ...plain };
    const scale = 2 ** Math.max(LEAST_EXPONENT, Math.floor(Math.log2(largest)) - TOP_EXPONENT);
    for (let i = 0; i < row.length; i++) this.scaled[i] = (row[i] ?? 0) / scale;
    encodeFloat16(this.scaled, halves);
    if (scale === LARGEST_SCALE) {
      halves.forEach((half, i) => {
        if ((half & 0x7fff) === BITS_OF_TWICE_THE_TOP) halves[i] = half - 1;
      });
    }
    return { scale, ...this.measure(row, halves, scale) };
  }

  private measure(
    row: Float32Array,
    halves: Uint16Array,
    scale: number,
  ): Energy & { largest: number; worst: number } {
    const kept = this.scaled;
    decodeFloat16(halves, kept);
    let [largest, worst, total, lost] = [0, 0, 0, 0];
    for (let i = 0; i < row.length; i++) {
      const value = row[i] ?? 0;
      const difference = value - (kept[i] ?? 0) * scale;
      largest = Math.max(largest, Math.abs(value));
      worst = Math.max(worst, Math.abs(difference));
      total += value * value;
      lost += difference * difference;
    }
    return { largest, worst, total, lost };
  }
}

/**
 * The float32 values of `stored` [n, width]: itself, or decoded into `out`, which is then returned. `scales` [n] are those
 * of its rows; undefined where all are 1.
 */
export function decodeRows(
  stored: Float32Array | Uint16Array,
  out: Float32Array,
  scales: Float32Array | undefined,
): Float32Array {
  if (stored instanceof Float32Array) return stored;
  decodeFloat16(stored, out);
  const width = stored.length / (scales?.length ?? 1);
  scales?.forEach((scale, row) => {
    if (scale === 1) return;
    for (let i = row * width; i < (row + 1) * width; i++) out[i] = (out[i] ?? 0) * scale;
  });
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
