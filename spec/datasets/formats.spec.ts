import fs from 'node:fs';
import path from 'node:path';
import { openArrow } from '../../lib/datasets/arrow';
import { openCsv } from '../../lib/datasets/csv';
import { openJsonl } from '../../lib/datasets/jsonl';
import { openRows } from '../../lib/datasets/open-rows';
import { openParquet } from '../../lib/datasets/parquet';
import { concatenate, type Row, type RowSource } from '../../lib/datasets/row-source';
import { openSavedDataset } from '../../lib/datasets/saved-dataset';
import { DatasetFormatError, UnknownDatasetFormatError, UnknownSplitError } from '../../lib/errors';
import { temporaryDirectory } from '../support/temporary-directory';
import { all, writeJsonl } from './support';

const root = temporaryDirectory();
const FIXTURES = path.join(__dirname, 'fixtures');
const fixture = (name: string): string => path.join(FIXTURES, name);

/** What fixtures/make-formats.py wrote with pyarrow and Hugging Face's datasets. */
const ROWS = JSON.parse(fs.readFileSync(fixture('rows.json'), 'utf8')) as Row[];

/** Rows with 64-bit integers as numbers, as JSON has them. */
function plain(rows: readonly Row[]): Row[] {
  const asNumber = (_: string, value: unknown) => (typeof value === 'bigint' ? Number(value) : value);
  return JSON.parse(JSON.stringify(rows, asNumber)) as Row[];
}

const sources: Record<string, () => RowSource> = {
  'JSON lines': () => openJsonl(writeJsonl(root, 'rows.jsonl', ROWS)),
  'two files of JSON lines': () =>
    concatenate([
      openJsonl(writeJsonl(root, 'a.jsonl', ROWS.slice(0, 4))),
      openJsonl(writeJsonl(root, 'b.jsonl', ROWS.slice(4))),
    ]),
  'a folder of save_to_disk': () => openRows(fixture('arrow')),
  ...Object.fromEntries(
    ['none', 'snappy', 'gzip', 'brotli', 'zstd', 'lz4'].map((compression) => [
      `Parquet, compressed by ${compression}`,
      () => openParquet(fixture(`${compression}.parquet`)),
    ]),
  ),
};

describe.each(Object.entries(sources))('%s', (_, open) => {
  it('gives the rows that were written, nested values included', async () => {
    expect(plain(await all(open().rows(0, Infinity)))).toEqual(ROWS);
  });

  it('gives any range of them', async () => {
    const source = open();
    for (const [start, end] of [
      [0, 1],
      [3, 5],
      [4, 8],
      [7, 99],
      [11, 12],
      [5, 5],
    ] as const)
      expect(plain(await all(source.rows(start, end)))).toEqual(ROWS.slice(start, end));
  });

  it('counts them', async () => {
    expect(await open().count(Infinity)).toBe(11);
    expect(await open().count(3)).toBeGreaterThanOrEqual(3);
  });

  it('gives at least the columns asked for', async () => {
    const rows = plain(await all(open().rows(2, 6, ['reward', 'absent'])));
    expect(rows.map(({ reward, absent }) => [reward, absent])).toEqual(
      ROWS.slice(2, 6).map(({ reward }) => [reward, undefined]),
    );
  });
});

describe('Arrow', () => {
  it('reads files of several batches, values by dictionary included', async () => {
    const rows = plain(await all(openRows(fixture('arrow-batches')).rows(0, Infinity)));
    expect(rows).toEqual(ROWS.map((row, i) => ({ ...row, kind: i % 2 === 0 ? 'even' : 'odd' })));
    expect(await openRows(fixture('arrow-batches')).count(Infinity)).toBe(11);
    expect(plain(await all(openRows(fixture('arrow-batches')).rows(3, 9, ['reward'])))).toEqual(
      ROWS.slice(3, 9).map(({ reward }) => ({ reward })),
    );
  });

  it('reads files in the order of state.json, not of their names', async () => {
    const folder = path.join(root, 'reordered');
    fs.cpSync(fixture('arrow'), folder, { recursive: true });
    const files = [2, 0].map((i) => ({ filename: `data-0000${i}-of-00003.arrow` }));
    fs.writeFileSync(path.join(folder, 'state.json'), JSON.stringify({ _data_files: files }));
    const rows = plain(await all(openRows(folder).rows(0, Infinity)));
    expect(rows).toEqual([...ROWS.slice(8), ...ROWS.slice(0, 4)]);
  });

  it('takes one of several data sets by name', async () => {
    const texts = async (split: string) =>
      (await all(openRows(fixture('arrow-dict'), split).rows(0, Infinity))).map(({ text }) => text);
    const expected = ROWS.map(({ text }) => text);
    expect(await texts('train')).toEqual(expected.slice(0, 4));
    expect(await texts('test')).toEqual(expected.slice(8));
    expect(() => openRows(fixture('arrow-dict'))).toThrow(UnknownSplitError);
    expect(() => openRows(fixture('arrow-dict'))).toThrow(/has `train`, `test`; name one by `split`/);
    expect(() => openRows(fixture('arrow-dict'), 'dev')).toThrow(
      /no part named `dev`: it has `train`, `test`/,
    );
    expect(() => openRows(fixture('arrow'), 'train')).toThrow(/has no named parts/);
  });

  it('names a file that is cut short, at whatever byte, or damaged', async () => {
    const whole = fs.readFileSync(path.join(fixture('arrow-batches'), 'only.arrow'));
    const file = path.join(root, 'cut.arrow');
    for (const length of [0, 3, 7, 100, 1000, whole.length >> 1, whole.length - 200, whole.length - 8]) {
      fs.writeFileSync(file, whole.subarray(0, length));
      await expect(all(openArrow(file).rows(0, Infinity))).rejects.toThrow(DatasetFormatError);
      await expect(openArrow(file).count(Infinity)).rejects.toThrow(/cut short/);
    }
    fs.writeFileSync(file, Buffer.from('these are no Arrow messages at all'));
    await expect(openArrow(file).count(Infinity)).rejects.toThrow(DatasetFormatError);
    await expect(all(openArrow(path.join(root, 'absent.arrow')).rows(0, 1))).rejects.toThrow(/ENOENT/);
  });

  it('refuses lists of files that are none', () => {
    const folder = path.join(root, 'no-state');
    fs.mkdirSync(folder);
    expect(openSavedDataset(folder, undefined)).toBeUndefined();
    const parts = path.join(root, 'no-parts');
    fs.mkdirSync(parts);
    fs.writeFileSync(path.join(parts, 'dataset_dict.json'), '{"splits": ["train"]}');
    expect(() => openRows(parts)).toThrow(/no-parts, `train`: it has no state\.json/);
    for (const text of ['{', '{}', '{"_data_files": [{}]}', '{"_data_files": []}']) {
      fs.writeFileSync(path.join(folder, 'state.json'), text);
      expect(() => openSavedDataset(folder, undefined)).toThrow(DatasetFormatError);
    }
  });
});

describe('Parquet', () => {
  it('names a file that is none, or is cut short', async () => {
    const whole = fs.readFileSync(fixture('snappy.parquet'));
    for (const [name, bytes] of [
      ['none.parquet', Buffer.from('not a parquet file, but long enough')],
      ['cut.parquet', whole.subarray(0, 3000)],
      ['gap.parquet', Buffer.concat([whole.subarray(0, 300).fill(7), whole.subarray(300)])],
    ] as const) {
      const file = path.join(root, name);
      fs.writeFileSync(file, bytes);
      await expect(all(openParquet(file).rows(0, 11))).rejects.toThrow(DatasetFormatError);
      await expect(all(openParquet(file).rows(0, 11))).rejects.toThrow(new RegExp(name));
    }
  });
});

describe('CSV', () => {
  const write = (text: string | Buffer): string => {
    const file = path.join(root, 'a.csv');
    fs.writeFileSync(file, text);
    return file;
  };

  it('reads quoted commas, quotes and line breaks', async () => {
    const source = openCsv(write('\ufefftext,n\r\n"one, ""two""\nthree",1\r\n\r\nplain 🙂,\n'));
    expect(await all(source.rows(0, 9))).toEqual([
      { text: 'one, "two"\nthree', n: '1' },
      { text: 'plain 🙂', n: '' },
    ]);
    expect(await source.count(Infinity)).toBe(2);
    expect(await source.count(1)).toBe(1);
    expect(await all(source.rows(1, 2))).toEqual([{ text: 'plain 🙂', n: '' }]);
    expect(await all(source.rows(0, 0))).toEqual([]);
  });

  it('gives what JSON lines of the same values give, over many blocks', async () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      id: String(i),
      text: `é, "${'x'.repeat(i % 90)}"\n🙂`,
    }));
    const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
    const source = openCsv(
      write(['id,text', ...rows.map(({ id, text }) => `${id},${quote(text)}`)].join('\n')),
    );
    expect(await all(source.rows(0, Infinity))).toEqual(rows);
    expect(await source.count(Infinity)).toBe(3000);
    expect(await all(source.rows(1500, 1502))).toEqual(rows.slice(1500, 1502));
  });

  it.each([
    ['a,b\n1,2\n3\n', /line 3: .*Invalid Record Length/],
    ['a,b\n1,"2\n', /Quote Not Closed/],
    ['a,a\n1,2\n', /line 1: the column `a` is there twice/],
    [Buffer.from([0x61, 0x0a, 0xff, 0x0a]), /not UTF-8/],
  ])('names what is wrong with %j', async (text, message) => {
    const rows = all(openCsv(write(text)).rows(0, Infinity));
    await expect(rows).rejects.toThrow(DatasetFormatError);
    await expect(rows).rejects.toThrow(message);
  });

  it('has no rows without a line of names', async () => {
    expect(await openCsv(write('')).count(Infinity)).toBe(0);
  });
});

it('refuses folders of several kinds, and of none', () => {
  const folder = path.join(root, 'mixed');
  fs.mkdirSync(folder);
  expect(() => openRows(folder)).toThrow(/it holds no data/);
  fs.writeFileSync(path.join(folder, 'a.csv'), 'text\n');
  fs.writeFileSync(path.join(folder, 'b.jsonl'), '');
  expect(() => openRows(folder)).toThrow(UnknownDatasetFormatError);
  expect(() => openRows(folder)).toThrow(/several kinds: \.csv, \.jsonl/);
});
