/** bfloat16, the upper half of a float32: encode with rounding to nearest even, decode by a shift. */

const INFINITY = 0x7f80;

/**
 * Writes `values` [n] as bfloat16 bits into `out` [n]. Returns the index of the first finite value that rounds to
 * infinity, or -1: infinities and NaN in `values` stay what they are and do not count.
 */
export function encodeBfloat16(values: Float32Array, out: Uint16Array): number {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let overflow = -1;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? 0;
    const magnitude = word & 0x7fffffff;
    let half = magnitude > 0x7f800000 ? 0x7fc0 : (magnitude + 0x7fff + ((magnitude >>> 16) & 1)) >>> 16;
    if (half >= INFINITY && magnitude < 0x7f800000) {
      half = INFINITY;
      if (overflow < 0) overflow = i;
    }
    out[i] = ((word >>> 16) & 0x8000) | half;
  }
  return overflow;
}

/** Writes the float32 values of the bfloat16 bits `halves` [n] into `out` [n]. Every bfloat16 is exact. */
export function decodeBfloat16(halves: Uint16Array, out: Float32Array): void {
  const words = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] ?? 0) << 16;
}
