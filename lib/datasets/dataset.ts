/** Data sets of texts as examples for a causal language model. */
import { EmptyDatasetError, InvalidOptionError } from '../errors';
import { openChatTemplate } from './chat-template';
import { chooseColumns, columnsRead, type ColumnOptions, type Columns } from './columns';
import { Tally, type DatasetCounts } from './counts';
import type { Fitting } from './document';
import { GroupMeans, toReward } from './group-means';
import { openRows } from './open-rows';
import { DatasetPass } from './dataset-pass';
import { parseSplit, resolveRange, rowsToCount } from './row-range';
import type { Row, RowSource } from './row-source';
import { TokenizerThread } from './tokenizer-thread';
import type { TokenizedExample } from './tokenized-example';

/** How a data set is read. */
export interface DatasetOptions extends ColumnOptions {
  /** Tokens the model takes at most. */
  readonly contextLength: number;
  /** Folder of `tokenizer.json`; needed unless rows are tokenized already, and then good for showing their text. */
  readonly tokenizer?: string;
  /** A part of the data set, a range of its rows, or both: `train`, `train[:10%]`, `[100:200]`, `0:200`. */
  readonly split?: string;
  /** What becomes of longer documents: `truncate` (default), or `chunk`, several examples. */
  readonly longDocuments?: 'truncate' | 'chunk';
}

/** Which examples a pass makes. */
export interface PassOptions {
  /** Asked by id; the others are not made, and without chunks not even tokenized. Default: all. */
  readonly wanted?: (id: number) => boolean;
}

/** A data set that is read from disk each time it is gone through; memory holds no more than some blocks of rows. */
export interface TextDataset {
  readonly path: string;
  readonly format: string;
  readonly columns: Columns;
  /** The rows that were asked for, of all the data set has: [start, end). */
  readonly range: { readonly start: number; readonly end: number };
  /**
   * Rows of a gradient store of it: example i is row `range.start + i`, whether or not it can be used. Null for chunks, which
   * are numbered as they come.
   */
  readonly exampleCount: number | null;
  /** What the pass begun last has met so far. */
  readonly counts: DatasetCounts;
  /**
   * The examples in order, tokenized ahead in a thread of its own.
   * @throws DatasetFormatError, TokenizerError; EmptyDatasetError if no row of the data set makes an example.
   */
  examples(options?: PassOptions): AsyncGenerator<TokenizedExample>;
  /** Ends the tokenizer's thread. */
  close(): Promise<void>;
}

/** Rows looked at to guess columns. */
const SAMPLE = 32;

/**
 * Opens a data set: JSONL, CSV, Parquet or text files, one or a folder of them, or a folder written by Hugging Face's
 * `save_to_disk`. Rows are texts, prompts with completions, conversations, or tokens (`input_ids`, optionally `labels` and
 * `attention_mask`, by which padding is taken off).
 *
 * A row that cannot be used (no value, a value of another type, fewer than two tokens) is skipped and counted; it keeps its
 * number, so its row of a store is never written. If rewards are given, an example's weight is its reward less the mean over
 * all rows of its group in the range, in a first pass over these two columns.
 *
 * @throws UnknownDatasetFormatError, UnknownSplitError, DatasetFormatError, EmptyDatasetError, UnknownDatasetColumnError,
 *   AmbiguousColumnsError, InvalidOptionError, TokenizerError
 */
export async function openDataset(location: string, options: DatasetOptions): Promise<TextDataset> {
  const fitting = checkFitting(options);
  const split = parseSplit(options.split ?? ':');
  const source = openRows(location, split.name);
  const range = resolveRange(split, await source.count(rowsToCount(split)));
  if (range.start === range.end) throw new EmptyDatasetError(location, 'there are no rows in the range');
  const sample = await take(source.rows(range.start, Math.min(range.end, range.start + SAMPLE)));
  const columns = chooseColumns(location, sample, options);
  const { tokenizer } = options;
  if (columns.document.kind !== 'tokens' && tokenizer === undefined)
    throw new InvalidOptionError('tokenizer', 'missing', 'given where rows are texts');
  const template =
    columns.document.kind === 'conversation' && tokenizer !== undefined
      ? openChatTemplate(tokenizer)
      : undefined;
  const means = columns.reward ? await meanRewards(source, range, columns.reward) : undefined;
  const thread = tokenizer === undefined ? undefined : await TokenizerThread.open(tokenizer, fitting);
  let tally = new Tally();

  return {
    path: location,
    format: source.format,
    columns,
    range,
    exampleCount: fitting.longDocuments === 'chunk' ? null : range.end - range.start,
    get counts() {
      return tally.counts();
    },
    async *examples({ wanted } = {}) {
      const own = (tally = new Tally());
      const rows = source.rows(range.start, range.end, columnsRead(columns));
      const pass = new DatasetPass(
        { columns, template, means, thread, fitting, firstRow: range.start, wanted },
        own,
      );
      yield* pass.examples(rows);
      if (own.examples === 0 && own.unwanted === 0)
        throw new EmptyDatasetError(location, describeSkipped(own.counts()));
    },
    async close() {
      await thread?.close();
    },
  };
}

function checkFitting({ contextLength, longDocuments = 'truncate' }: DatasetOptions): Fitting {
  if (!Number.isInteger(contextLength) || contextLength < 2)
    throw new InvalidOptionError('contextLength', contextLength, 'a whole number of at least 2');
  return { contextLength, longDocuments };
}

async function take(rows: AsyncIterable<Row>): Promise<Row[]> {
  const taken: Row[] = [];
  for await (const row of rows) taken.push(row);
  return taken;
}

async function meanRewards(
  source: RowSource,
  { start, end }: { start: number; end: number },
  { reward, group }: { reward: string; group: string },
): Promise<GroupMeans> {
  const means = new GroupMeans();
  for await (const row of source.rows(start, end, [reward, group])) {
    const value = toReward(row[reward]);
    if (value !== undefined) means.add(row[group], value);
  }
  return means;
}

function describeSkipped({ rows, skipped }: DatasetCounts): string {
  const reasons = skipped.map(
    ({ reason, count, firstRows }) => `${reason} (${count}, first ${firstRows.join(', ')})`,
  );
  return `all ${rows} rows are unusable: ${reasons.join('; ')}`;
}
