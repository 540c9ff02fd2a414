/** `examples.jsonl`: what people should see of each training example, one JSON object a line, in row order. */
import fs from 'node:fs';
import readline from 'node:readline';
import { InvalidOptionError } from '../errors';
import { guardWrite } from '../store/disk';

/** What to show of an example: its label, its text, or anything else that is JSON. */
export interface ExampleRecord {
  readonly label?: string | number;
  readonly text?: string;
  readonly [field: string]: unknown;
}

/**
 * Writes one record for each of `count` examples, or, if that is not known, all there are; returns how many.
 * @throws InvalidOptionError on another number; DiskWriteError
 */
export function writeExamples(file: string, records: Iterable<ExampleRecord>, count: number | null): number {
  const part = `${file}.part`;
  let written = 0;
  guardWrite(file, 0, () => {
    const descriptor = fs.openSync(part, 'w');
    try {
      for (const record of records) {
        fs.writeSync(descriptor, `${JSON.stringify(record)}\n`);
        written++;
      }
      if (count !== null && written !== count)
        throw new InvalidOptionError('examples', written, `${count} records, one for each training example`);
      fs.fsyncSync(descriptor);
    } catch (cause) {
      fs.rmSync(part);
      throw cause;
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(part, file);
  });
  return written;
}

/** The records of the named examples. Reads the file once, by lines. */
export async function readExamples(
  file: string,
  examples: ReadonlySet<number>,
): Promise<Map<number, ExampleRecord>> {
  const found = new Map<number, ExampleRecord>();
  const lines = readline.createInterface({ input: fs.createReadStream(file), crlfDelay: Infinity });
  let example = 0;
  for await (const line of lines) {
    if (examples.has(example)) found.set(example, JSON.parse(line) as ExampleRecord);
    example++;
    if (found.size === examples.size) break;
  }
  lines.close();
  return found;
}
