/** Exact scores of chosen rows, read from the store one by one. */
import type { ColumnRange } from '../../kernels/scan/column-ranges';
import { NonFiniteValueError } from '../errors';
import { decodeRows } from '../store/row-codec';
import { readRowBytes, type RowFile } from '../store/row-file';
import { innerProducts, rowNorm } from './inner-products';

/** What a score is. */
export interface Scoring {
  /** Each [width]. */
  readonly queries: readonly Float32Array[];
  /** Columns that count. */
  readonly ranges: readonly ColumnRange[];
  /** Whether scores are divided by the row's norm over `ranges`; rows of norm 0 score 0. */
  readonly unitNorm: boolean;
}

/**
 * The scores of pairs of a row and a query, both by number: [pairs]. Each row is read once, in the file's order.
 * Throws {@link NonFiniteValueError} naming the row, CorruptStoreError.
 */
export function exactScores(
  file: RowFile,
  { queries, ranges, unitNorm }: Scoring,
  pairs: readonly { readonly row: number; readonly query: number }[],
): Float64Array {
  const out = new Float64Array(pairs.length);
  const order = pairs.map((_, i) => i).sort((a, b) => (pairs[a]?.row ?? 0) - (pairs[b]?.row ?? 0));
  const reader = new RowReader(file);
  for (let start = 0; start < order.length;) {
    const row = pairs[order[start] ?? 0]?.row ?? 0;
    let end = start;
    while (end < order.length && pairs[order[end] ?? 0]?.row === row) end++;
    const slots = order.slice(start, end);
    const values = reader.read(row);
    const asked = slots.flatMap((slot) => queries[pairs[slot]?.query ?? 0] ?? []);
    const scores = new Float64Array(asked.length);
    innerProducts(values, asked, ranges, scores);
    const norm = unitNorm ? rowNorm(values, ranges) : 1;
    slots.forEach((slot, i) => {
      const score = norm === 0 ? 0 : (scores[i] ?? NaN) / norm;
      if (!Number.isFinite(score)) throw nonFinite(file, row, values);
      out[slot] = score;
    });
    start = end;
  }
  return out;
}

/** The sum of products of two float32 is finite in float64: it is the row. */
function nonFinite({ directory }: RowFile, row: number, values: Float32Array): NonFiniteValueError {
  const bad = values.find((value) => !Number.isFinite(value));
  return new NonFiniteValueError(`the row in ${directory}`, bad ?? NaN, undefined, row);
}

class RowReader {
  private readonly bytes: Uint8Array;
  private readonly values: Float32Array;
  private readonly halves: Uint16Array | undefined;

  constructor(private readonly file: RowFile) {
    this.values = new Float32Array(file.width);
    this.halves = file.dtype === 'float16' ? new Uint16Array(file.width) : undefined;
    this.bytes = new Uint8Array((this.halves ?? this.values).buffer);
  }

  /** [width], overwritten by the next. */
  read(row: number): Float32Array {
    readRowBytes(this.file, row, this.bytes);
    return decodeRows(this.halves ?? this.values, this.values, this.file.scales?.subarray(row, row + 1));
  }
}
