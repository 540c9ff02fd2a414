/** One store that holds, for each example, the sum of its rows over several epochs. */
import path from 'node:path';
import fs from 'node:fs';
import { LayoutMismatchError } from '../errors';
import { GradientStoreReader, type RowBlock } from './reader';
import { STORE_FILES, type Column } from './format';
import { currentDirectory, replaceDirectory, settleDirectory, successorOf } from './replace-directory';
import { GradientStoreWriter, type RowObserver } from './writer';

/**
 * Adds the rows of `from` to the sums in the store `into`, which is begun if there is none. Sums are float32,
 * in memory and on disk; a row missing from one of the two counts as zero there, and `from` may have further rows. A kill at any moment leaves
 * the old sums or the new ones, never a mixture. `source` (default: the name of the directory of `from`) is
 * noted in the manifest; resolves to false, and does nothing, when `into` already contains it, so that a
 * caller that was killed can simply call again. `observer` sees the sums. Throws LayoutMismatchError, DiskWriteError and what
 * {@link GradientStoreReader.open} throws.
 */
export async function addStore(
  from: GradientStoreReader,
  into: string,
  { source = path.basename(from.directory), observer }: { source?: string; observer?: RowObserver } = {},
): Promise<boolean> {
  settleDirectory(into);
  const exists = fs.existsSync(path.join(currentDirectory(into), STORE_FILES.info));
  const sums = exists ? GradientStoreReader.open(into) : undefined;
  try {
    const sources = sums?.manifest?.sources ?? [];
    if (sources.includes(source)) return false;
    if (sums) checkAlike(from, sums);
    const layout = { ...from.layout, dtype: 'float32' as const };
    const writer = GradientStoreWriter.create(successorOf(into), layout, { overwrite: true });
    writer.observe(observer);
    try {
      writeSums(writer, from, sums);
      await writer.close({ sources: [...sources, source] });
    } finally {
      writer.abort();
    }
  } finally {
    sums?.close();
  }
  replaceDirectory(into);
  return true;
}

function writeSums(
  writer: GradientStoreWriter,
  from: GradientStoreReader,
  sums: GradientStoreReader | undefined,
): void {
  // Blocks of equally many rows, whatever the two dtypes are.
  const rowsTogether = Math.max(1, Math.floor(2 ** 20 / from.width));
  const blocksOf = (store: GradientStoreReader) =>
    store.blocks(rowsTogether * store.width * (store.dtype === 'float32' ? 4 : 2));
  const before: Iterator<RowBlock> | undefined = sums && blocksOf(sums);
  for (const { first, count, rows } of blocksOf(from)) {
    const earlier: IteratorResult<RowBlock> | undefined = before?.next();
    const addends = earlier?.done === false ? earlier.value.rows : undefined;
    const ids: number[] = [];
    for (let example = first; example < first + count; example++) {
      if (from.isWritten(example) || sums?.isWritten(example)) ids.push(example);
    }
    const total = new Float32Array(ids.length * from.width);
    ids.forEach((example, position) => {
      const start = (example - first) * from.width;
      for (let i = 0; i < from.width; i++) {
        total[position * from.width + i] = (rows[start + i] ?? 0) + (addends?.[start + i] ?? 0);
      }
    });
    writer.write(Int32Array.from(ids), total);
  }
}

function checkAlike(from: GradientStoreReader, sums: GradientStoreReader): void {
  const describe = (columns: readonly Column[]) =>
    columns.map(({ layer, width }) => `${layer}: ${width}`).join(', ');
  const mismatch = (field: string, left: string, right: string) =>
    new LayoutMismatchError(from.directory, sums.directory, field, left, right);
  if (from.rows < sums.rows) throw mismatch('rows', `${from.rows}`, `${sums.rows}`);
  const [left, right] = [describe(from.columns), describe(sums.columns)];
  if (left !== right) throw mismatch('columns', left, right);
}
