/** Takes a score apart: an inner product of rows is the sum of those of their layers. */

/**
 * The inner products of `row` and `query`, each [width], over the columns of each layer: [layers]. `offsets`
 * [layers + 1] says where each layer's columns start. Sums are float64.
 */
export function layerScores(
  query: Float32Array,
  row: Float32Array,
  offsets: readonly number[],
): Float64Array {
  return Float64Array.from({ length: offsets.length - 1 }, (_, layer) => {
    let sum = 0;
    const end = offsets[layer + 1] ?? 0;
    for (let i = offsets[layer] ?? 0; i < end; i++) sum += (query[i] ?? 0) * (row[i] ?? 0);
    return sum;
  });
}

/** The norm of `row` over the columns of the layers numbered `layers`, by which a score is divided; 1 for a row of zeros there. */
export function normOver(row: Float32Array, offsets: readonly number[], layers: readonly number[]): number {
  const squares = layerScores(row, row, offsets);
  const total = layers.reduce((sum, layer) => sum + (squares[layer] ?? 0), 0);
  return total === 0 ? 1 : Math.sqrt(total);
}
