/** JSON objects, one a line. */
import { DatasetFormatError } from '../errors';
import { isBlank, readLines } from './lines';
import type { Row, RowSource } from './row-source';

/** How a list of objects begins, which some files are as a whole. */
const LIST = 0x5b;

/** The rows of a file of JSON objects, one a line. Blank lines are no rows. */
export function openJsonl(file: string): RowSource {
  return {
    format: 'JSONL',

    async count(limit) {
      let rows = 0;
      for await (const line of readLines(file)) if (!isBlank(line) && ++rows >= limit) break;
      return rows;
    },

    async *rows(start, end) {
      let row = 0;
      let number = 0;
      for await (const line of readLines(file)) {
        number++;
        if (isBlank(line)) continue;
        if (row >= end) return;
        if (row >= start) yield parse(file, number, line);
        row++;
      }
    },
  };
}

function parse(file: string, number: number, line: Buffer): Row {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
  } catch (cause) {
    if (line[0] === LIST) throw notAnObject(file, number, 'a list');
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatasetFormatError(file, `line ${number}`, `not JSON (${reason})`, { cause });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row;
  throw notAnObject(file, number, Array.isArray(value) ? 'a list' : JSON.stringify(value));
}

function notAnObject(file: string, number: number, found: string): DatasetFormatError {
  return new DatasetFormatError(file, `line ${number}`, `expected a JSON object, one a line, found ${found}`);
}
