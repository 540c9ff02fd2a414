import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Root of the tfjs-bergson package, whether this runs from its sources or from dist/. */
export function packageRoot(): string {
  let directory = __dirname;
  while (!existsSync(join(directory, 'package.json'))) directory = dirname(directory);
  return directory;
}
