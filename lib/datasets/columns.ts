/** Which columns of a data set make its examples. */
import { AmbiguousColumnsError, InvalidOptionError, UnknownDatasetColumnError } from '../errors';
import type { Row } from './row-source';

/** Columns named by the user. At most one of text, prompt with completion, and conversation. */
export interface ColumnOptions {
  /** The text. Guessed if nothing is named: `text`, or the only column of texts. */
  readonly textColumn?: string;
  /** What comes before the completion; no loss. Comes with `completionColumn`. */
  readonly promptColumn?: string;
  /** What the loss counts. Comes with `promptColumn`. */
  readonly completionColumn?: string;
  /** Lists of `role` and `content`, rendered by the tokenizer's chat template; the loss counts what the assistant says. */
  readonly conversationColumn?: string;
  /** Rewards of completions, for the advantages of Dr. GRPO. */
  readonly rewardColumn?: string;
  /** What tells the groups apart within which rewards are compared; default: the prompt column. */
  readonly groupColumn?: string;
}

/** What a row's tokens come from. */
export type DocumentColumns =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'completion'; readonly prompt: string; readonly completion: string }
  | { readonly kind: 'conversation'; readonly conversation: string }
  | { readonly kind: 'tokens' };

/** The columns that are read. */
export interface Columns {
  readonly document: DocumentColumns;
  readonly reward: { readonly reward: string; readonly group: string } | undefined;
}

/** Columns of rows that are tokens already, as Hugging Face names them; a row may lack the last two. */
export const INPUT_IDS = 'input_ids';
export const LABELS = 'labels';
export const ATTENTION_MASK = 'attention_mask';

/**
 * Settles the columns from the options and, for what they leave open, from some rows.
 *
 * @param location of the data set, for messages; @param sample its first rows.
 * @throws InvalidOptionError, UnknownDatasetColumnError, AmbiguousColumnsError
 */
export function chooseColumns(location: string, sample: readonly Row[], options: ColumnOptions): Columns {
  const present = [...new Set(sample.flatMap((row) => Object.keys(row)))];
  for (const [option, column] of Object.entries(options))
    if (option.endsWith('Column') && typeof column === 'string' && !present.includes(column))
      throw new UnknownDatasetColumnError(location, option, column, present);
  const document = namedColumns(options) ?? guessColumns(location, sample, present);
  return { document, reward: rewardColumns(options, document) };
}

/** Every column that is read. */
export function columnsRead({ document, reward }: Columns): string[] {
  const read = [...documentColumns(document), ...(reward ? [reward.reward, reward.group] : [])];
  return [...new Set(read)];
}

function documentColumns(document: DocumentColumns): string[] {
  switch (document.kind) {
    case 'text':
      return [document.text];
    case 'completion':
      return [document.prompt, document.completion];
    case 'conversation':
      return [document.conversation];
    case 'tokens':
      return [INPUT_IDS, LABELS, ATTENTION_MASK];
  }
}

function namedColumns(options: ColumnOptions): DocumentColumns | undefined {
  const { textColumn, promptColumn, completionColumn, conversationColumn } = options;
  const named = [
    textColumn === undefined ? [] : (['textColumn'] as const),
    promptColumn === undefined && completionColumn === undefined ? [] : (['completionColumn'] as const),
    conversationColumn === undefined ? [] : (['conversationColumn'] as const),
  ].flat();
  if (named.length > 1)
    throw new InvalidOptionError(named[0] ?? '', 'given', `left out where \`${named[1] ?? ''}\` is given`);
  if (textColumn !== undefined) return { kind: 'text', text: textColumn };
  if (conversationColumn !== undefined) return { kind: 'conversation', conversation: conversationColumn };
  if (promptColumn !== undefined && completionColumn !== undefined)
    return { kind: 'completion', prompt: promptColumn, completion: completionColumn };
  if (promptColumn !== undefined)
    throw new InvalidOptionError('completionColumn', 'missing', 'given with `promptColumn`');
  if (completionColumn !== undefined)
    throw new InvalidOptionError('promptColumn', 'missing', 'given with `completionColumn`');
  return undefined;
}

function guessColumns(location: string, sample: readonly Row[], present: readonly string[]): DocumentColumns {
  if (present.includes(INPUT_IDS)) return { kind: 'tokens' };
  const candidates = present.filter((column) => holdsText(sample.map((row) => row[column])));
  const [first] = candidates.includes('text') ? ['text'] : candidates;
  if (first !== undefined && (first === 'text' || candidates.length === 1))
    return { kind: 'text', text: first };
  throw new AmbiguousColumnsError(location, candidates, present);
}

/** Whether values are strings, and not all of them numbers, as they all are strings in CSV. */
function holdsText(values: readonly unknown[]): boolean {
  const there = values.filter((value) => value !== undefined && value !== null && value !== '');
  return (
    there.length > 0 &&
    there.every((value) => typeof value === 'string') &&
    there.some((value) => Number.isNaN(Number(value)))
  );
}

function rewardColumns(
  { rewardColumn, groupColumn }: ColumnOptions,
  document: DocumentColumns,
): Columns['reward'] {
  if (rewardColumn === undefined) {
    if (groupColumn === undefined) return undefined;
    throw new InvalidOptionError('rewardColumn', 'missing', 'given with `groupColumn`');
  }
  const group = groupColumn ?? (document.kind === 'completion' ? document.prompt : undefined);
  if (group === undefined)
    throw new InvalidOptionError(
      'groupColumn',
      'missing',
      'given with `rewardColumn` where there is no `promptColumn` to tell the groups apart',
    );
  return { reward: rewardColumn, group };
}
