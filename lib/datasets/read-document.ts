/** From a row's values to the document it holds. */
import type { ChatTemplate } from './chat-template';
import { ATTENTION_MASK, INPUT_IDS, LABELS, type DocumentColumns } from './columns';
import { NO_LOSS, type Document } from './document';
import type { Row } from './row-source';

/** Tokens that a row holds already. */
export interface TokenRow {
  readonly inputIds: Int32Array;
  readonly labels: Int32Array;
}

/** Why a row makes no example. */
export interface Unusable {
  readonly unusable: string;
}

/** A text to tokenize, tokens, or the reason why neither. */
export function readDocument(
  row: Row,
  columns: DocumentColumns,
  template: ChatTemplate | undefined,
): Document | TokenRow | Unusable {
  switch (columns.kind) {
    case 'text': {
      const text = readText(row, columns.text);
      return typeof text === 'string' ? { text, specialTokens: true } : text;
    }
    case 'completion': {
      const prompt = readText(row, columns.prompt);
      if (typeof prompt !== 'string') return prompt;
      const completion = readText(row, columns.completion);
      if (typeof completion !== 'string') return completion;
      if (completion === '') return { unusable: `empty \`${columns.completion}\`` };
      const text = prompt + completion;
      return { text, lossRanges: [[prompt.length, text.length]], specialTokens: true };
    }
    case 'conversation': {
      const messages = row[columns.conversation];
      if (isMissing(messages)) return { unusable: `no \`${columns.conversation}\`` };
      if (template === undefined) throw new Error('internal: a conversation without a chat template');
      return template.render(messages);
    }
    case 'tokens':
      return readTokens(row);
  }
}

function isMissing(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

function readText(row: Row, column: string): string | Unusable {
  const value = row[column];
  if (isMissing(value)) return { unusable: `no \`${column}\`` };
  if (typeof value === 'string') return value;
  return {
    unusable: `\`${column}\` is ${Array.isArray(value) ? 'a list' : `a ${typeof value}`}, not a text`,
  };
}

function readTokens(row: Row): TokenRow | Unusable {
  const inputIds = readIntegers(row, INPUT_IDS, 0);
  if ('unusable' in inputIds) return inputIds;
  const labels = readBeside(row, LABELS, inputIds);
  if ('unusable' in labels) return labels;
  const mask = readBeside(row, ATTENTION_MASK, new Int32Array(inputIds.length).fill(1));
  if ('unusable' in mask) return mask;
  // Padding, at either end, is no part of the document.
  const start = Math.max(0, mask.indexOf(1));
  const end = mask.lastIndexOf(1) + 1;
  if (mask.subarray(start, end).some((value) => value !== 1))
    return { unusable: `\`${ATTENTION_MASK}\` leaves out tokens between others` };
  return { inputIds: inputIds.slice(start, end), labels: labels.slice(start, end) };
}

/** A list as long as the token ids, or `otherwise` where there is none. */
function readBeside(row: Row, column: string, otherwise: Int32Array): Int32Array | Unusable {
  if (isMissing(row[column])) return otherwise;
  const values = readIntegers(row, column, NO_LOSS);
  if ('unusable' in values || values.length === otherwise.length) return values;
  return { unusable: `\`${column}\` and \`${INPUT_IDS}\` differ in length` };
}

/** A list of token ids; `also` is one more number that may stand for one. */
function readIntegers(row: Row, column: string, also: number): Int32Array | Unusable {
  const value = row[column];
  if (isMissing(value)) return { unusable: `no \`${column}\`` };
  if (!Array.isArray(value)) return { unusable: `\`${column}\` is no list of token ids` };
  const ids = value.map((id) => (typeof id === 'number' || typeof id === 'bigint' ? Number(id) : NaN));
  const valid = (id: number) => id === also || (Number.isInteger(id) && id >= 0 && id < 2 ** 31);
  return ids.every(valid) ? Int32Array.from(ids) : { unusable: `\`${column}\` is no list of token ids` };
}
