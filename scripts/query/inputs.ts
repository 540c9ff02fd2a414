/** Reads queries: a JSON document or JSON lines, each `{ x, y, label?, text?, … }`, or `{ text }`, or `{ prompt, completion }`. */
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
  /** All else it says, to show. */
  readonly record: ExampleRecord;
}

/** Texts of the command line, or the prompt, as queries. */
export function textInputs(name: string, texts: readonly string[]): QueryInput[] {
  return texts.map((text, i) => textInput({ text }, texts.length === 1 ? name : `${name} ${i + 1}`));
}

/** The queries in `file`, `-` being stdin. @throws QueryInputError */
export function readInputs(file: string): QueryInput[] {
  const name = file === '-' ? 'stdin' : file;
  let text: string;
  try {
    text = fs.readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new QueryInputError(name, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? 'error'})`, {
      cause,
    });
  }
  return parseInputs(name, text);
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
export function parseInputs(name: string, text: string): QueryInput[] {
  const lines = text.split(/\r?\n/).map((line, i) => ({ line, where: `${name}, line ${i + 1}` }));
  const held = lines.filter(({ line }) => line.trim() !== '');
  const [first] = held;
  if (first === undefined) throw new QueryInputError(name, EMPTY);
  if (held.length > 1 && isJson(first.line)) {
    return held.map(({ line, where }) => toInput(parse(line, where), where));
  }
  const document = parse(text, held.length === 1 ? first.where : name);
  if (!Array.isArray(document)) return [toInput(document, first.where)];
  if (document.length === 0) throw new QueryInputError(name, EMPTY);
  return document.map((query, i) => toInput(query, `${name}, query ${i + 1}`));
}

const EMPTY = 'holds no query; write one JSON object a line, such as {"x": [0.5, 1], "y": [1, 0]}';

function toInput(query: unknown, where: string): QueryInput {
  if (typeof query !== 'object' || query === null || Array.isArray(query)) {
    throw new QueryInputError(where, 'a query must be an object with `x` and `y`');
  }
  const { x, y, ...record } = query as Record<string, unknown>;
  if (x !== undefined && y !== undefined) return { where, x, y, record };
  const isText =
    record.text !== undefined || (record.prompt !== undefined && record.completion !== undefined);
  if (x === undefined && y === undefined && isText) return textInput(record, where);
  throw new QueryInputError(
    where,
    'a query must have `x` and `y`, or `text`, or `prompt` and `completion`, ' +
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
