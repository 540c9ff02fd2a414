/** Where a tokenizer lies. */
import fs from 'node:fs';
import path from 'node:path';

/** The file `tokenizer.json` at `location`, which may be that file itself. */
export function tokenizerFile(location: string): string {
  const isFile = fs.statSync(location, { throwIfNoEntry: false })?.isFile() === true;
  return isFile ? location : path.join(location, 'tokenizer.json');
}
