import fs from 'node:fs';
import path from 'node:path';
import { CorruptRecordError } from '../../callbacks';
import { ExampleRecords, writeExamples } from '../../lib/run/example-records';
import { temporaryDirectory } from '../support/temporary-directory';

const directory = temporaryDirectory();

it.each([1, 31, 32, 33, 64, 1000])('reads any of %i records, in any order, and none beyond', (count) => {
  const file = path.join(directory, `records-${count}.jsonl`);
  const records = Array.from({ length: count }, (_, i) => ({
    label: i,
    text: `”${'é'.repeat(i % 7)}\n${i}`,
  }));
  expect(writeExamples(file, records, count)).toBe(count);
  const reader = ExampleRecords.open(file);
  const ids = [count - 1, 0, Math.floor(count / 2), count, count + 40];
  const expected = new Map(ids.filter((id) => id < count).map((id) => [id, records[id]]));
  expect(reader.read(ids)).toEqual(expected);
});

it('reads lines longer than what is read at once', () => {
  const file = path.join(directory, 'long.jsonl');
  const records = Array.from({ length: 70 }, (_, i) => ({ text: String(i % 10).repeat(50_000) }));
  writeExamples(file, records, null);
  const reader = ExampleRecords.open(file);
  const ids = records.map((_, i) => i).reverse();
  expect(reader.read(ids)).toEqual(new Map(ids.map((id) => [id, records[id]])));
});

it('names the line that is not JSON', () => {
  const file = path.join(directory, 'broken.jsonl');
  fs.writeFileSync(file, '{"label": 1}\n{"label"\n');
  const reader = ExampleRecords.open(file);
  expect(reader.read([0])).toEqual(new Map([[0, { label: 1 }]]));
  expect(() => reader.read([1])).toThrow(CorruptRecordError);
  expect(() => reader.read([1])).toThrow(/line 2/);
});
