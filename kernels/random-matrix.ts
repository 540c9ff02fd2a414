/**
 * Random projection matrices, entry by entry from Philox4x32-10.
 *
 * This file is the definition of the numbers: entry (row, column) of a matrix depends on its seed, its
 * stream (one per layer), its side, the row and the column, and on nothing else: neither the matrix's size
 * nor the device nor the order in which entries are drawn.
 */
import { philox4x32 } from './philox';

export type ProjectionType = 'rademacher' | 'normal';

/** Which matrix: everything but its size that its entries depend on. All words are unsigned 32-bit integers. */
export interface RandomMatrixKey {
  readonly type: ProjectionType;
  readonly seed: number;
  /** Two words that name the layer. */
  readonly stream: readonly [number, number];
  /** 0: left (the gradient's outputs), 1: right (its inputs). */
  readonly side: 0 | 1;
}

/** Scratch for one block; drawing is synchronous, so one is enough. */
const words = new Uint32Array(4);

/** Counter word 3 is `side + 2 * type`, so that the two distributions share no words. */
const TYPE_CODE: Record<ProjectionType, number> = { rademacher: 0, normal: 2 };

/**
 * The named columns of a [rows, *] random matrix, transposed: result[i * rows + r] is entry (r, columns[i]).
 * Entries have variance 1 / rows: ±1/sqrt(rows) for Rademacher, N(0, 1/rows) for normal.
 */
export function drawColumns(key: RandomMatrixKey, rows: number, columns: ArrayLike<number>): Float32Array {
  const result = new Float32Array(columns.length * rows);
  const draw = key.type === 'rademacher' ? drawSigns : drawNormals;
  for (let i = 0; i < columns.length; i++) draw(key, rows, columns[i] ?? 0, result, i * rows);
  return result;
}

/**
 * Signs: 32 rows come from one word, and one Philox block serves four neighbouring columns. The counter is
 * (column / 4, row / 32, stream 0, side); the word is column mod 4, the bit is row mod 32, and 1 means +.
 */
function drawSigns(key: RandomMatrixKey, rows: number, column: number, out: Float32Array, at: number): void {
  const scale = 1 / Math.sqrt(rows);
  for (let first = 0; first < rows; first += 32) {
    drawBlock(key, column >>> 2, first >>> 5);
    const word = words[column & 3] ?? 0;
    const count = Math.min(32, rows - first);
    for (let bit = 0; bit < count; bit++) out[at + first + bit] = (word >>> bit) & 1 ? scale : -scale;
  }
}

/**
 * Normals: one block gives four rows of one column by the Box-Muller transform of its word pairs. The counter
 * is (column, row / 4, stream 0, side + 2).
 */
function drawNormals(
  key: RandomMatrixKey,
  rows: number,
  column: number,
  out: Float32Array,
  at: number,
): void {
  const scale = 1 / Math.sqrt(rows);
  for (let first = 0; first < rows; first += 4) {
    drawBlock(key, column, first >>> 2);
    for (let pair = 0; pair < 4; pair += 2) {
      const radius = scale * Math.sqrt(-2 * Math.log(uniform(words[pair] ?? 0)));
      const angle = 2 * Math.PI * uniform(words[pair + 1] ?? 0);
      if (first + pair < rows) out[at + first + pair] = radius * Math.cos(angle);
      if (first + pair + 1 < rows) out[at + first + pair + 1] = radius * Math.sin(angle);
    }
  }
}

/** A word as a number strictly between 0 and 1, so that its logarithm is finite. */
function uniform(word: number): number {
  return (word + 0.5) / 0x100000000;
}

function drawBlock(key: RandomMatrixKey, c0: number, c1: number): void {
  philox4x32(c0, c1, key.stream[0], key.side + TYPE_CODE[key.type], key.seed, key.stream[1], words);
}
