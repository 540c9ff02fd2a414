/** What the store and search specs share. */
import type { StoreLayout } from '../../lib/store/format';
import { GradientStoreWriter } from '../../lib/store/writer';

/** A number that says which example, column and version it is: 11 bits, so exact in float16. */
function marker(example: number, column: number, version = 0): number {
  return (example % 32) + (column % 8) / 8 + (version % 8) * 32;
}

/** Row `example` of [width] markers. */
export function markedRow(example: number, width: number, version = 0): Float32Array {
  return Float32Array.from({ length: width }, (_, column) => marker(example, column, version));
}

/** Rows of `examples`, one after another. */
export function markedRows(examples: readonly number[], width: number, version = 0): Float32Array {
  const rows = new Float32Array(examples.length * width);
  examples.forEach((example, i) => {
    rows.set(markedRow(example, width, version), i * width);
  });
  return rows;
}

/** A closed store with the rows of `rows` [n, width]; undefined leaves a row unwritten. */
export async function writeStore(
  directory: string,
  layout: StoreLayout,
  rows: readonly (Float32Array | undefined)[],
): Promise<void> {
  const writer = GradientStoreWriter.create(directory, layout, { overwrite: true });
  rows.forEach((row, example) => {
    if (row) writer.write(Int32Array.of(example), row);
  });
  await writer.close();
}
