import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { openJsonl } from '../../lib/datasets/jsonl';
import { readLines } from '../../lib/datasets/lines';
import { DatasetFormatError } from '../../lib/errors';
import { temporaryDirectory } from '../support/temporary-directory';
import { all, writeJsonl } from './support';

const root = temporaryDirectory();
const write = (text: string | Buffer): string => {
  const file = path.join(root, 'a.jsonl');
  fs.writeFileSync(file, text);
  return file;
};

it('reads lines as splitting the whole file does', async () => {
  const line = fc.string({ unit: fc.constantFrom('a', '\r', '\u2028', 'é', ' ') });
  await fc.assert(
    fc.asyncProperty(fc.array(line), async (lines) => {
      const text = lines.join('\n');
      const expected = text === '' ? [] : text.replace(/\n$/, '').split('\n');
      const found = await all(readLines(write(text)));
      expect(found.map((buffer) => buffer.toString())).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

it('reads lines longer than its blocks', async () => {
  const lines = ['x'.repeat(700_000), '', 'y'.repeat(262_143), 'z'];
  const found = await all(readLines(write(lines.join('\n'))));
  expect(found.map(String)).toEqual(lines);
});

it('reads a range of rows, and counts them without blank lines', async () => {
  const file = write('\ufeff{"a":1}\n\n{"a":2}\r\n  \n{"a":3}');
  const source = openJsonl(file);
  expect(await source.count(Infinity)).toBe(3);
  expect(await source.count(2)).toBe(2);
  expect(await all(source.rows(0, 3))).toEqual([{ a: 1 }, { a: 2 }, { a: 3 }]);
  expect(await all(source.rows(1, 2))).toEqual([{ a: 2 }]);
});

it('keeps line separators inside strings', async () => {
  const rows = [{ text: 'one\u2028two' }, { text: 'three\u2029' }];
  expect(await all(openJsonl(writeJsonl(root, 'b.jsonl', rows)).rows(0, 9))).toEqual(rows);
});

it.each([
  ['{"a":1}\n{"a":', /line 2: not JSON/],
  ['[1, 2]', /line 1: expected a JSON object, one a line, found a list/],
  ['[\n{"a":1}\n]', /line 1: expected a JSON object, one a line, found a list/],
  ['{"a":1}\n\n7', /line 3: expected a JSON object, one a line, found 7/],
  [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /line 1: not JSON/],
])('names the line of %j that is no object', async (text, message) => {
  const rows = all(openJsonl(write(text)).rows(0, 9));
  await expect(rows).rejects.toThrow(DatasetFormatError);
  await expect(rows).rejects.toThrow(message);
});

it('reads nothing of the lines before and after its range but their ends', async () => {
  expect(await all(openJsonl(write('broken\n{"a":1}\nbroken')).rows(1, 2))).toEqual([{ a: 1 }]);
});
