/** Text files, each of them a row. */
import fs from 'node:fs';
import path from 'node:path';
import { DatasetFormatError } from '../errors';
import type { Row, RowSource } from './row-source';

/**
 * A row for each of `files`, with columns `text` and `path`, relative to `folder` and with slashes. Memory holds one file,
 * and the names.
 */
export function openTextFiles(folder: string, files: readonly string[]): RowSource {
  return {
    format: 'text files',

    count(limit) {
      return Promise.resolve(Math.min(files.length, limit));
    },

    async *rows(start, end) {
      for (const file of files.slice(start, end)) yield await read(folder, file);
    },
  };
}

async function read(folder: string, file: string): Promise<Row> {
  const bytes = await fs.promises.readFile(path.join(folder, file));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return { text, path: file.split(path.sep).join('/') };
  } catch (cause) {
    throw new DatasetFormatError(path.join(folder, file), 'as a whole', 'not UTF-8', { cause });
  }
}
