/** What the addon makes of the columns that a collector leaves. */
import fs from 'node:fs';
import path from 'node:path';
import type { RowColumns } from '../../kernels/row-terms';
import { beginRowWrite } from '../../kernels/write-rows';
import type { Column } from '../../lib/store/format';

/** The rows [n, width], by way of a file in `directory`. Disposes `columns`. */
export function writtenRows(
  columns: RowColumns,
  layout: readonly Column[],
  n: number,
  directory: string,
): Float32Array {
  const file = path.join(directory, 'written-rows');
  const descriptor = fs.openSync(file, 'w+');
  const width = layout.reduce((sum, column) => sum + column.width, 0);
  let offset = 0;
  const placed = layout.map((column) => {
    const terms = columns.get(column.layer)?.terms ?? [];
    offset += column.width;
    return { terms, offset: offset - column.width };
  });
  const positions = Float64Array.from({ length: n }, (_, i) => 4 * width * i);
  try {
    const rows = { file, descriptor, positions, columns: placed, width, factor: 1, after: [] };
    const outcome = beginRowWrite(rows).outcome();
    if (outcome.kind !== 'written') throw new Error(`the rows were not written: ${outcome.kind}`);
    return new Float32Array(Uint8Array.from(fs.readFileSync(file)).buffer);
  } finally {
    fs.closeSync(descriptor);
    for (const column of columns.values()) column.dispose();
  }
}
