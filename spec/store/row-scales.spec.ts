import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { addStore } from '../../lib/store/accumulate';
import { rowsChecksum } from '../../lib/store/manifest';
import { GradientStoreReader } from '../../lib/store/reader';
import { sealStore } from '../../lib/store/seal';
import { GradientStoreWriter } from '../../lib/store/writer';
import { openFiles } from '../support/open-files';
import { temporaryDirectory } from '../support/temporary-directory';
import { writeStore } from './support';

const root = temporaryDirectory();
let stores = 0;
const newDirectory = () => path.join(root, `store_${stores++}`);
const columns = [
  { layer: 'a', width: 2 },
  { layer: 'b', width: 3 },
];
const layout = { rows: 4, dtype: 'float16' as const, columns };
const hasScales = (directory: string) => fs.existsSync(path.join(directory, 'scales.bin'));
const plain = Float32Array.of(1, -2, 60_000, 0.5, 6.1e-5);
const large = Float32Array.of(1, -2e9, 65_536, 0, 3e9);
const tiny = Float32Array.of(1e-12, -3e-11, 0, 2e-13, 5e-11);

/** Largest of the differences, in units of the largest magnitude of `expected`. */
function roundoff(found: Float32Array, expected: Float32Array): number {
  const largest = Math.max(...expected.map(Math.abs));
  const worst = Math.max(...expected.map((value, i) => Math.abs(value - (found[i] ?? NaN))));
  return worst === 0 ? 0 : worst / largest;
}

/** 2^-11: the last place of eleven bits, halved. */
const HALF = 2 ** -11;

async function roundTrip(rows: readonly Float32Array[]) {
  const directory = newDirectory();
  await writeStore(directory, { ...layout, rows: rows.length }, rows);
  const reader = GradientStoreReader.open(directory);
  const found = rows.map((_, example) => reader.row(example));
  const energyLost = reader.manifest?.energyLost ?? NaN;
  reader.close();
  return { directory, found, energyLost };
}

test('rows of any magnitude come back to the precision of float16 beside their largest number', () => {
  const number = fc.double({ min: -1, max: 1, noNaN: true });
  const row = fc.tuple(
    fc.array(
      fc.oneof(
        number,
        number.map((value) => value * 1e-7),
      ),
      { minLength: 5, maxLength: 5 },
    ),
    fc.oneof(fc.double({ min: -12, max: 12, noNaN: true }), fc.constantFrom(-44, -38, 38)),
  );
  return fc.assert(
    fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 8 }), async (given) => {
      const rows = given.map(([values, exponent]) =>
        Float32Array.from(values, (value) => value * 10 ** exponent),
      );
      const { directory, found, energyLost } = await roundTrip(rows);
      found.forEach((values, i) => {
        expect(roundoff(values, rows[i] ?? values)).toBeLessThanOrEqual(HALF);
      });
      expect(energyLost).toBeLessThanOrEqual(HALF ** 2);
      fs.rmSync(directory, { recursive: true });
    }),
    { numRuns: 60 },
  );
});

test('the largest float32 comes back as the largest that eleven bits can hold', async () => {
  const most = 3.4028234663852886e38;
  const { found } = await roundTrip([Float32Array.of(most, -most, 1, 0, most / 2)]);
  expect([...(found[0] ?? [])]).toEqual([32_752 * 2 ** 113, -32_752 * 2 ** 113, 0, 0, 16_384 * 2 ** 113]);
});

test('rows that float16 holds as they are have no scales, and the store no file of them', async () => {
  const { directory, found } = await roundTrip([plain, new Float32Array(5)]);
  expect(hasScales(directory)).toBe(false);
  expect(found[1]).toEqual(new Float32Array(5));
});

test('a wide row of which small numbers hold most has one', async () => {
  const wide = new Float32Array(100_000).fill(2 ** -26);
  wide[7] = 2 ** -10;
  const directory = newDirectory();
  await writeStore(directory, { rows: 1, dtype: 'float16', columns: [{ layer: 'a', width: 100_000 }] }, [
    wide,
  ]);
  const reader = GradientStoreReader.open(directory);
  expect(reader.row(0)).toEqual(wide);
  expect(reader.manifest?.energyLost).toBe(0);
  reader.close();
});

test('scales are powers of two, and 1 for rows that need none', async () => {
  const { directory } = await roundTrip([plain, large, tiny]);
  const bytes = fs.readFileSync(path.join(directory, 'scales.bin'));
  expect(bytes).toHaveLength(12);
  expect([0, 4, 8].map((at) => bytes.readFloatLE(at))).toEqual([1, 2 ** 17, 2 ** -49]);
});

test('a row that replaces another brings its own scale', async () => {
  const writer = GradientStoreWriter.create(newDirectory(), layout);
  writer.write(Int32Array.of(3, 1), Float32Array.of(...plain, ...large));
  writer.write(Int32Array.of(0, 1, 1), Float32Array.of(...tiny, ...tiny, ...plain));
  writer.write(Int32Array.of(3), large);
  await writer.close();
  const reader = GradientStoreReader.open(writer.directory);
  [tiny, plain, undefined, large].forEach((row, example) => {
    if (row) expect(roundoff(reader.row(example), row)).toBeLessThanOrEqual(HALF);
  });
  expect(reader).toMatchObject({ dtype: 'float16', valueDtype: 'float32', rowsWritten: 3 });
  const [block] = [...reader.blocks()];
  expect([...(block?.rows.subarray(15, 20) ?? [])]).toEqual([...reader.row(3)]);
  const { rows, layers } = reader.norms();
  expect(rows[3]).toBe(Math.fround(Math.hypot(...reader.row(3))));
  expect(layers[0]).toBe(Math.fround(Math.hypot(...reader.row(0).subarray(0, 2))));
  reader.close();
});

test('an interrupted store has its scales, goes on with them, and makes room for more', async () => {
  const first = GradientStoreWriter.create(newDirectory(), layout);
  first.write(Int32Array.of(1), large);
  first.abort();
  const interrupted = GradientStoreReader.open(first.directory);
  expect(roundoff(interrupted.row(1), large)).toBeLessThanOrEqual(HALF);
  interrupted.close();
  const second = GradientStoreWriter.resume(first.directory, layout);
  second.resize(8);
  second.write(Int32Array.of(0, 6), Float32Array.of(...plain, ...tiny));
  second.resize(7);
  await second.close();
  const reader = GradientStoreReader.open(first.directory);
  for (const [example, row] of [
    [0, plain],
    [1, large],
    [6, tiny],
  ] as const) {
    expect(roundoff(reader.row(example), row)).toBeLessThanOrEqual(HALF);
  }
  await expect(reader.verify()).resolves.toContain('scales.bin');
  reader.close();
});

test('a store of which a file is damaged is not gone on with, and no file stays open', () => {
  const writer = GradientStoreWriter.create(newDirectory(), layout);
  writer.write(Int32Array.of(1), large);
  writer.abort();
  fs.truncateSync(path.join(writer.directory, 'scales.bin'), 8);
  const before = openFiles();
  expect(() => GradientStoreWriter.resume(writer.directory, layout)).toThrow(errors.CorruptStoreError);
  expect(openFiles()).toBe(before);
});

test('a kill while room is made leaves scales that open and can be sealed', async () => {
  const writer = GradientStoreWriter.create(newDirectory(), layout);
  writer.write(Int32Array.of(1), large);
  const failing = jest.spyOn(fs, 'renameSync').mockImplementation(() => {
    throw Object.assign(new Error('killed'), { code: 'EIO' });
  });
  expect(() => {
    writer.resize(9);
  }).toThrow(errors.DiskWriteError);
  failing.mockRestore();
  writer.abort();
  await sealStore(writer.directory);
  const reader = GradientStoreReader.open(writer.directory);
  expect(reader).toMatchObject({ state: 'complete', rows: 4 });
  expect(roundoff(reader.row(1), large)).toBeLessThanOrEqual(HALF);
  reader.close();
});

test('what tells rows from others counts their scales', async () => {
  const checksum = async (factor: number) => {
    const { directory } = await roundTrip([large.map((value) => value * factor)]);
    const reader = GradientStoreReader.open(directory);
    reader.close();
    const { manifest } = reader;
    return manifest && { rows: rowsChecksum(manifest), gradients: manifest.files['gradients.bin']?.sha256 };
  };
  const [once, again, twice] = [await checksum(1), await checksum(1), await checksum(2)];
  expect(again).toEqual(once);
  expect(twice?.gradients).toBe(once?.gradients);
  expect(twice?.rows).not.toBe(once?.rows);
});

test.each([
  [
    'truncated',
    (file: string) => {
      fs.truncateSync(file, 8);
    },
  ],
  [
    'missing',
    (file: string) => {
      fs.rmSync(file);
    },
  ],
  [
    'of a number that is no power of two',
    (file: string) => {
      fs.writeFileSync(file, Float32Array.of(1, 3, 1));
    },
  ],
])('a store with a scales.bin that is %s does not open', async (_, harm) => {
  const { directory } = await roundTrip([plain, large, tiny]);
  harm(path.join(directory, 'scales.bin'));
  expect(() => GradientStoreReader.open(directory)).toThrow(errors.CorruptStoreError);
});

test('a store begun anew has none of the old scales', async () => {
  const { directory } = await roundTrip([large]);
  await writeStore(directory, { ...layout, rows: 1 }, [plain]);
  expect(hasScales(directory)).toBe(false);
});

test('sums over epochs are of the rows as they are', async () => {
  const into = newDirectory();
  for (const rows of [
    [large, tiny],
    [tiny, tiny],
  ]) {
    const { directory } = await roundTrip(rows);
    const reader = GradientStoreReader.open(directory);
    await addStore(reader, into);
    reader.close();
  }
  const sums = GradientStoreReader.open(into);
  expect(roundoff(sums.row(0), large)).toBeLessThanOrEqual(HALF);
  expect(
    roundoff(
      sums.row(1),
      tiny.map((value) => 2 * value),
    ),
  ).toBeLessThanOrEqual(HALF);
  sums.close();
});
