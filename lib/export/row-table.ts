/** Rows of a store as a table, a block at a time: what every format is written from. */
import type { Run } from '../run/run';
import type { Column } from '../store/format';
import type { GradientStoreReader } from '../store/reader';

/** Whether a row's numbers are one list, `gradients`, as Bergson's data sets have them, or one list for each layer. */
export type RowsBy = 'row' | 'layer';

/** The lists of numbers that a row is exported as. */
export function listsOf({ columns, width }: GradientStoreReader, by: RowsBy): readonly Column[] {
  return by === 'row' ? [{ layer: 'gradients', width }] : columns;
}

/** Rows that were written, with what the run was told of their examples. */
export interface RowTable {
  readonly examples: readonly number[];
  /** Positions of tokens; undefined where rows are of examples. */
  readonly positions: readonly number[] | undefined;
  /** The rows' numbers of each list, one row after another, [n, width]. */
  readonly lists: readonly Float32Array[];
  /** As JSON, `null` for an example without one; undefined where the run was told nothing. */
  readonly records: readonly string[] | undefined;
}

/** Numbers of a block: much is made of each in the formats' writers. */
const BLOCK_BYTES = 1 << 20;

/** The rows of `store` that were written, in order. */
export function* rowTables(
  run: Run,
  store: GradientStoreReader,
  by: RowsBy,
): Generator<RowTable, void, undefined> {
  const { width, tokens } = store;
  const recorded = run.hasRecords;
  for (const { first, count, rows } of store.blocks(BLOCK_BYTES)) {
    const kept = Array.from({ length: count }, (_, i) => i).filter((i) => store.isWritten(first + i));
    const places = kept.map((i) => tokens?.tokenOf(first + i) ?? { example: first + i, position: 0 });
    const examples = places.map(({ example }) => example);
    const records = recorded ? run.exampleRecords(new Set(examples)) : undefined;
    let offset = 0;
    const lists = listsOf(store, by).map((column) => {
      const part = new Float32Array(kept.length * column.width);
      kept.forEach((i, row) => {
        const start = i * width + offset;
        part.set(rows.subarray(start, start + column.width), row * column.width);
      });
      offset += column.width;
      return part;
    });
    yield {
      examples,
      positions: tokens === undefined ? undefined : places.map(({ position }) => position),
      lists,
      records: records && examples.map((example) => JSON.stringify(records.get(example) ?? null)),
    };
  }
}
