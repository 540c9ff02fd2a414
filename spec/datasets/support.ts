import fs from 'node:fs';
import path from 'node:path';
import type { TokenizedExample } from '../../lib/datasets/tokenized-example';

/** A small byte-level BPE with a chat template, made by fixtures/make-tokenizer.py. */
export const TOKENIZER = path.join(__dirname, 'fixtures', 'tokenizer');

/** What Python's library makes of some documents with that tokenizer. */
export const EXPECTED_IDS = JSON.parse(
  fs.readFileSync(path.join(TOKENIZER, 'expected-ids.json'), 'utf8'),
) as readonly { text: string; ids: number[] }[];

/** Writes rows as JSON lines; returns the file's path. */
export function writeJsonl(directory: string, name: string, rows: readonly unknown[]): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  return file;
}

/** Everything an iterable gives. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of items) taken.push(item);
  return taken;
}

/** An example of so many tokens. */
export function exampleOf(id: number, tokens: number): TokenizedExample {
  const inputIds = Int32Array.from({ length: tokens }, (_, i) => id + i + 1);
  return { id, inputIds, labels: inputIds.slice(), record: {} };
}

/** Items as they come from a stream. */
export async function* stream<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) yield await Promise.resolve(item);
}
