/** Reads every row of a data set and prints how many there are, their characters, and how far memory went up. */
import { openRows } from '../../../lib/datasets/open-rows';

async function main(location: string): Promise<void> {
  const source = openRows(location);
  const before = process.resourceUsage().maxRSS;
  const counted = await source.count(Infinity);
  let rows = 0;
  let characters = 0;
  for await (const { text } of source.rows(0, Infinity, ['text'])) {
    rows++;
    characters += String(text).length;
  }
  const grownMiB = (process.resourceUsage().maxRSS - before) / 1024;
  process.stdout.write(JSON.stringify({ counted, rows, characters, grownMiB }));
}

void main(process.argv[2] ?? '');
