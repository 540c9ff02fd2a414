/** L2 norms of a store's rows, over all columns and for each layer. */
import type { SafetensorsTensor } from './safetensors';
import { SafetensorsFile, writeSafetensors } from './safetensors';

export interface RowNorms {
  /** [rows] over all columns; 0 for rows never written. */
  readonly rows: Float32Array;
  /** [rows, layers], row-major, over each layer's columns. */
  readonly layers: Float32Array;
}

/** Norms of `rows` rows and `layers` layers, all zero, for {@link measureNorms} to fill. */
export function emptyNorms(rows: number, layers: number): RowNorms {
  return { rows: new Float32Array(rows), layers: new Float32Array(rows * layers) };
}

/**
 * Fills in the norms of `count` rows of `block` [count, width], the first of which is row `first`. Squares
 * are summed in float64. `offsets` [layers + 1] says where each layer's columns start.
 */
export function measureNorms(
  block: Float32Array,
  first: number,
  count: number,
  offsets: readonly number[],
  norms: RowNorms,
): void {
  const layers = offsets.length - 1;
  const width = offsets[layers] ?? 0;
  for (let row = 0; row < count; row++) {
    let total = 0;
    for (let layer = 0; layer < layers; layer++) {
      const end = row * width + (offsets[layer + 1] ?? 0);
      let sum = 0;
      for (let i = row * width + (offsets[layer] ?? 0); i < end; i++) {
        const value = block[i] ?? 0;
        sum += value * value;
      }
      norms.layers[(first + row) * layers + layer] = Math.sqrt(sum);
      total += sum;
    }
    norms.rows[first + row] = Math.sqrt(total);
  }
}

/** Writes `norms` of a store with `layers` layers as `file`, atomically. */
export function writeNorms(file: string, norms: RowNorms, layers: number): void {
  const rows = norms.rows.length;
  const tensors: Record<string, SafetensorsTensor> = {
    row_norms: { dtype: 'F32', shape: [rows], data: norms.rows },
    row_norms_by_layer: { dtype: 'F32', shape: [rows, layers], data: norms.layers },
  };
  writeSafetensors(file, tensors);
}

/** The norms in `file`. */
export function readNorms(file: string): RowNorms {
  const tensors = SafetensorsFile.open(file);
  try {
    const rows = tensors.read('row_norms').data as Float32Array;
    return { rows, layers: tensors.read('row_norms_by_layer').data as Float32Array };
  } finally {
    tensors.close();
  }
}
