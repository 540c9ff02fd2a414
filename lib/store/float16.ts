/** IEEE 754 binary16: encode with rounding to nearest even, decode by table. */

const floatOf = new Float32Array(1);
const bitsOf = new Uint32Array(floatOf.buffer);

const INFINITY = 0x7c00;
const HALF_BITS = 0x3f000000; // float32 bits of 0.5, whose last place is 2^-24: float16's smallest step

/**
 * Writes `values` [n] as float16 bits into `out` [n]. Returns the index of the first finite value that
 * rounds to infinity, or -1: infinities and NaN in `values` stay what they are and do not count.
 */
export function encodeFloat16(values: Float32Array, out: Uint16Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let overflow = -1;
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] ?? 0;
    const magnitude = word & 0x7fffffff;
    let half: number;
    if (magnitude >= 0x7f800000) {
      half = magnitude === 0x7f800000 ? INFINITY : 0x7e00;
    } else if (magnitude >= 0x38800000) {
      // Normal: rebias the exponent from 127 to 15, round the 13 bits that go.
      half = (magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
      if (half >= INFINITY) {
        half = INFINITY;
        if (overflow < 0) overflow = i;
      }
    } else {
      // Subnormal: adding 0.5 makes the float32 adder itself round to a multiple of 2^-24.
      bitsOf[0] = magnitude;
      floatOf[0] = (floatOf[0] ?? 0) + 0.5;
      half = bitsOf[0] - HALF_BITS;
    }
    out[i] = ((word >>> 16) & 0x8000) | half;
  }
  return overflow;
}

let table: Float32Array | undefined;

/** The float32 value of each of the 65,536 bit patterns, built once (256 KiB: it stays in cache). */
function decodingTable(): Float32Array {
  if (table) return table;
  table = new Float32Array(65_536);
  for (let half = 0; half < 65_536; half++) {
    const exponent = (half >>> 10) & 31;
    const fraction = half & 1023;
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1024 + fraction) * 2 ** (exponent - 25);
    table[half] = half >= 0x8000 ? -magnitude : magnitude;
  }
  return table;
}

/** Writes the float32 values of the float16 bits `halves` [n] into `out` [n]. Every float16 is exact. */
export function decodeFloat16(halves: Uint16Array, out: Float32Array): void {
  const values = decodingTable();
  for (let i = 0; i < halves.length; i++) out[i] = values[halves[i] ?? 0] ?? 0;
}
