import fs from 'node:fs';
import path from 'node:path';
import { GradientStoreReader, InvalidLayoutError } from '../../callbacks';
import { TokenOffsets } from '../../lib/store/token-offsets';
import { temporaryDirectory } from '../support/temporary-directory';

/** An index that Bergson wrote, of six texts of 64, 64, 48, 33, 17 and 2 tokens. */
const INDEX = path.join(__dirname, '..', 'reference', 'gpt2', 'index_raw_tokens_p8');
const COUNTS = [63, 63, 47, 32, 16, 1];
const directory = temporaryDirectory();

it('writes the bytes that Bergson writes', () => {
  const written = fs.readFileSync(path.join(INDEX, 'offsets.npy'));
  expect(Buffer.from(TokenOffsets.of(COUNTS).encode()).equals(written)).toBe(true);
});

it('reads an index of Bergson’s as a store, and knows whose each row is', () => {
  const store = GradientStoreReader.open(INDEX);
  expect(store).toMatchObject({ state: 'foreign', rows: 222, width: 512, layout: { examples: 6 } });
  const whose = [0, 62, 63, 126, 220, 221].map((row) => store.tokens?.tokenOf(row));
  expect(whose).toEqual([
    { example: 0, position: 0 },
    { example: 0, position: 62 },
    { example: 1, position: 0 },
    { example: 2, position: 0 },
    { example: 4, position: 15 },
    { example: 5, position: 0 },
  ]);
  store.close();
});

it('passes over examples without a row', () => {
  const offsets = TokenOffsets.of([0, 2, 0, 0, 1, 0]);
  expect([0, 1, 2].map((row) => offsets.tokenOf(row).example)).toEqual([1, 1, 4]);
  expect(offsets.rowsOf(2)).toEqual([2, 2]);
  expect(offsets).toMatchObject({ examples: 6, rows: 3 });
});

it('reads back what it wrote, also of headers longer than a line', () => {
  const file = path.join(directory, 'offsets.npy');
  for (const counts of [[], [5], Array<number>(1000).fill(2 ** 41)]) {
    fs.writeFileSync(file, TokenOffsets.of(counts).encode());
    const read = TokenOffsets.read(file);
    expect(read).toMatchObject({
      examples: counts.length,
      rows: counts.reduce((sum, count) => sum + count, 0),
    });
  }
});

it.each([
  ['something else', Buffer.from('offsets')],
  ['a file that is cut off', TokenOffsets.of(COUNTS).encode().subarray(0, 150)],
  [
    'numbers of another type',
    Buffer.from(
      Buffer.from(TokenOffsets.of(COUNTS).encode()).toString('latin1').replace('<i8', '<i4'),
      'latin1',
    ),
  ],
])('refuses %s', (_, bytes) => {
  const file = path.join(directory, 'broken.npy');
  fs.writeFileSync(file, bytes);
  expect(() => TokenOffsets.read(file)).toThrow(InvalidLayoutError);
});

it.each([[-1], [0.5], [NaN]])('refuses %p rows', (count) => {
  expect(() => TokenOffsets.of([count])).toThrow(InvalidLayoutError);
});
