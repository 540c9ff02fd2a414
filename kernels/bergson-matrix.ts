/** Bergson's own projection matrices, which follow from a name alone. */
import { createHash } from 'node:crypto';
import { Pcg64 } from './pcg64';

export interface BergsonMatrixKey {
  readonly type: 'bergson';
  /** `MODULE/left` or `MODULE/right`; `MODULE/single` is for a module's whole gradient. */
  readonly name: string;
}

/**
 * The matrix [rows, columns] of a name, transposed: result[c * rows + r] is entry (r, c), ±1/sqrt(rows). The seed is the
 * name's md5 as a big-endian integer modulo 2⁶³ - 1; bits are those of numpy's generator, the highest of each byte first,
 * row by row, and 1 means +. Entries depend on the number of columns.
 */
export function drawBergsonMatrix({ name }: BergsonMatrixKey, rows: number, columns: number): Float32Array {
  const digest = createHash('md5').update(name).digest('hex');
  const seed = BigInt(`0x${digest}`) % (2n ** 63n - 1n);
  const bytes = new Pcg64(seed).bytes(Math.ceil((rows * columns) / 8));
  const scale = 1 / Math.sqrt(rows);
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const position = row * columns + column;
      const bit = ((bytes[position >> 3] ?? 0) >> (7 - (position & 7))) & 1;
      result[column * rows + row] = bit === 1 ? scale : -scale;
    }
  }
  return result;
}
