/** The lines of a file, a block at a time. */
import fs from 'node:fs';

const NEWLINE = 0x0a;
const BLOCK = 256 * 1024;

/**
 * Lines of `file` without their newlines, as bytes. Only a newline ends a line, unlike in Node's own readline, which also
 * splits at U+2028 inside a JSON string. Memory holds one block, and a line.
 */
export async function* readLines(file: string): AsyncGenerator<Buffer> {
  let open: Buffer[] = []; // the blocks of a line whose end was not seen yet
  for await (const block of fs.createReadStream(file, { highWaterMark: BLOCK }) as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
      const rest = block.subarray(start, end);
      yield open.length === 0 ? rest : Buffer.concat([...open, rest]);
      open = [];
      start = end + 1;
    }
    if (start < block.length) open.push(block.subarray(start));
  }
  if (open.length > 0) yield Buffer.concat(open);
}

/** Whether a line holds nothing but spaces, tabs and carriage returns. */
export function isBlank(line: Buffer): boolean {
  return line.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}
