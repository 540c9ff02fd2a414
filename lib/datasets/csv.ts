/** Comma-separated values below a line of column names. */
import fs from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { DatasetFormatError } from '../errors';
import type { Row, RowSource } from './row-source';

/** A quote that is never closed would otherwise take the rest of the file into memory as one value. */
const MAX_RECORD_CHARACTERS = 64 * 1024 * 1024;

/** The rows of a CSV file in UTF-8; every value is a string. Blank lines are no rows. */
export function openCsv(file: string): RowSource {
  return {
    format: 'CSV',

    async count(limit) {
      const records = readRows(file, limit);
      let rows = 0;
      while ((await records.next()).done !== true) rows++;
      return rows;
    },

    async *rows(start, end) {
      let row = 0;
      for await (const values of readRows(file, end)) if (row++ >= start) yield values;
    },
  };
}

/** The first `limit` rows. */
async function* readRows(file: string, limit: number): AsyncGenerator<Row> {
  if (limit === 0) return;
  const { parse } = await import('csv-parse'); // loaded when it is needed
  const parser = parse({
    bom: true,
    columns: (names: string[]) => checkNames(file, names),
    max_record_size: MAX_RECORD_CHARACTERS,
    record_delimiter: ['\r\n', '\n', '\r'],
    skip_empty_lines: true,
    ...(limit === Infinity ? {} : { to: limit }),
  });
  const records = pipeline(Readable.from(decode(file)), parser, () => undefined); // iterating rejects with what fails
  try {
    for await (const record of records as AsyncIterable<Row>) yield record;
  } catch (cause) {
    if (cause instanceof DatasetFormatError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DatasetFormatError(file, `line ${parser.info.lines}`, reason, { cause });
  }
}

function checkNames(file: string, names: readonly string[]): string[] {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined)
    throw new DatasetFormatError(file, 'line 1', `the column \`${repeated}\` is there twice`);
  return [...names];
}

async function* decode(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  const decodePart = (bytes?: Uint8Array): string => {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new DatasetFormatError(file, 'somewhere', 'not UTF-8', { cause });
    }
  };
  for await (const block of fs.createReadStream(file) as AsyncIterable<Uint8Array>) yield decodePart(block);
  yield decodePart();
}
