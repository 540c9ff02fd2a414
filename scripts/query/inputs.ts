/**
 * Reads queries: a JSON document or JSON lines, each `{ x, y, label?, text?, … }`, or `{ text }`, `{ prompt, completion }`, or
 * `{ messages }`.
 */
import fs from 'node:fs';
import type { Document } from '../../lib/datasets/document';
import { readDocument } from '../../lib/datasets/read-document';
import type { ExampleRecord } from '../../lib/run/example-records';
import { QueryInputError } from './errors';

/** A query as it was written down. */
export interface QueryInput {
  /** File and line or position, to name it by. */
  readonly where: string;
  readonly x: unknown;
  readonly y: unknown;
  /** The text that asks, in place of `x` and `y`. */
  readonly document?: Document;
  /** How many tokens at most the model is to go on with after the text, of which the question then is. */
  readonly goOnFor?: number;
  /** The conversation that asks, in place of `x` and `y`: what should be a list of messages. */
  readonly messages?: unknown;
  /** All else it says, to show. */
  readonly record: ExampleRecord;
}

/** Texts of the command line, or the prompt, as queries. */
export function textInputs(name: string, texts: readonly string[]): QueryInput[] {
  return texts.map((text, i) => textInput({ text }, texts.length === 1 ? name : `${name} ${i + 1}`));
}

/** The conversation in `file`, `-` being stdin: a list of messages, or an object that holds one. @throws QueryInputError */
export function readConversation(file: string, column = MESSAGES): QueryInput[] {
  const { name, text } = readText(file);
  if (text.trim() === '') throw new QueryInputError(name, 'holds no conversation');
  const held = parse(text, name);
  const messages = typeof held === 'object' && held !== null && column in held ? held[column as never] : held;
  return [conversationInput(messages, {}, name)];
}

/** The queries in `file`, `-` being stdin; `column` is what conversations are in. @throws QueryInputError */
export function readInputs(file: string, column?: string): QueryInput[] {
  const { name, text } = readText(file);
  return parseInputs(name, text, column);
}

function readText(file: string): { name: string; text: string } {
  const name = file === '-' ? 'stdin' : file;
  try {
    return { name, text: fs.readFileSync(file === '-' ? 0 : file, 'utf8') };
  } catch (cause) {
    throw new QueryInputError(name, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`, {
      cause,
    });
  }
}

/** Those of the `inputs` of `file` that `rows` number, from 0; all without `rows`. @throws QueryInputError */
export function chooseInputs(
  file: string,
  inputs: readonly QueryInput[],
  rows?: readonly number[],
): QueryInput[] {
  return (rows ?? inputs.map((_, i) => i)).map((row) => {
    const input = inputs[row];
    if (input === undefined)
      throw new QueryInputError(file, `has no query ${row}; it holds ${inputs.length}, from 0`);
    return input;
  });
}

/** The queries in `text`, which `name` names in errors. @throws QueryInputError */
export function parseInputs(name: string, text: string, column?: string): QueryInput[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line, where: `${name}, line ${i + 1}` }));
  const held = lines.filter(({ line }) => line.trim() !== '');
  const [first] = held;
  if (first === undefined) throw new QueryInputError(name, EMPTY);
  if (held.length > 1 && isJson(first.line)) {
    return held.map(({ line, where }) => toInput(parse(line, where), where, column));
  }
  const document = parse(text, held.length === 1 ? first.where : name);
  if (!Array.isArray(document)) return [toInput(document, first.where, column)];
  if (document.length === 0) throw new QueryInputError(name, EMPTY);
  return document.map((query, i) => toInput(query, `${name}, query ${i + 1}`, column));
}

const EMPTY = 'holds no query; write one JSON object a line, such as {"x": [0.5, 1], "y": [1, 0]}';

/** What conversations are in, unless told otherwise. */
const MESSAGES = 'messages';

function toInput(query: unknown, where: string, column: string | undefined): QueryInput {
  if (typeof query !== 'object' || query === null || Array.isArray(query)) {
    throw new QueryInputError(where, 'a query must be an object with `x` and `y`');
  }
  const { x, y, ...record } = query as Record<string, unknown>;
  if (x !== undefined && y !== undefined) return { where, x, y, record };
  const { [column ?? MESSAGES]: messages, ...others } = record;
  if (column !== undefined && messages === undefined)
    throw new QueryInputError(where, `has no \`${column}\``);
  const isText =
    record.text !== undefined || (record.prompt !== undefined && record.completion !== undefined);
  if (x === undefined && y === undefined) {
    if (messages !== undefined && (column !== undefined || !isText))
      return conversationInput(messages, others, where);
    if (isText) return textInput(record, where);
  }
  throw new QueryInputError(
    where,
    'a query must have `x` and `y`, or `text`, or `prompt` and `completion`, or `messages`, ' +
      `found ${Object.keys(query).join(', ') || 'neither'}`,
  );
}

/** A query by its `text`, or by its `completion` after its `prompt`. @throws QueryInputError */
function textInput({ text, ...record }: Record<string, unknown>, where: string): QueryInput {
  const document =
    text === undefined
      ? readDocument(record, { kind: 'completion', prompt: 'prompt', completion: 'completion' }, undefined)
      : readDocument({ text }, { kind: 'text', text: 'text' }, undefined);
  if (!('text' in document))
    throw new QueryInputError(where, 'unusable' in document ? document.unusable : 'no text');
  if (document.text === '') throw new QueryInputError(where, 'the text is empty');
  return { where, x: undefined, y: undefined, document, record };
}

/** A query by a list of messages; whether the chat template takes them, the model's tokenizer knows. @throws QueryInputError */
function conversationInput(messages: unknown, record: ExampleRecord, where: string): QueryInput {
  if (!Array.isArray(messages) || messages.length === 0)
    throw new QueryInputError(where, 'a conversation must be a list of messages with `role` and `content`');
  return { where, x: undefined, y: undefined, messages, record };
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function parse(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { message } = cause as Error;
    // V8 does not always say where; a line is named only where it is known.
    const position = /position (\d+)/.exec(message)?.[1];
    const line = text.slice(0, Number(position)).split('\n').length;
    const at = position === undefined || where.includes(', line ') ? where : `${where}, line ${line}`;
    // What follows is V8's own quotation of the text, which may be long.
    const reason = message.replace(/, (\.\.\.)?".*$/s, '').replace(/ \(line.*\)$/, '');
    throw new QueryInputError(at, `not JSON: ${reason}`, { cause });
  }
}
