import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { LayoutMismatchError } from '../../lib/errors';
import { addStore } from '../../lib/store/accumulate';
import { GradientStoreReader } from '../../lib/store/reader';
import { writeStore } from './support';
import { kill, printed, startChild } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
let stores = 0;
const newDirectory = () => path.join(root, `store_${stores++}`);
const columns = [{ layer: 'dense', width: 3 }];

async function add(from: string, into: string, source?: string): Promise<boolean> {
  const reader = GradientStoreReader.open(from);
  try {
    return await addStore(reader, into, source === undefined ? {} : { source });
  } finally {
    reader.close();
  }
}

test('sums rows in float32, those missing from one store counting as zero', () => {
  const row = fc.option(fc.float32Array({ minLength: 3, maxLength: 3, noNaN: true, min: -1000, max: 1000 }), {
    nil: undefined,
  });
  const epoch = fc.array(row, { minLength: 6, maxLength: 6 });
  return fc.assert(
    fc.asyncProperty(fc.array(epoch, { minLength: 1, maxLength: 3 }), async (epochs) => {
      const into = newDirectory();
      const sums: (Float32Array | undefined)[] = Array.from({ length: 6 }, () => undefined);
      for (const [i, rows] of epochs.entries()) {
        const from = newDirectory();
        await writeStore(from, { rows: 6, dtype: 'float32', columns }, rows);
        await expect(add(from, into, `epoch_${i}`)).resolves.toBe(true);
        rows.forEach((addend, example) => {
          const sum = sums[example];
          if (addend)
            sums[example] = sum
              ? addend.map((value, j) => value + (sum[j] ?? 0))
              : addend.map((value) => value + 0);
        });
      }
      const reader = GradientStoreReader.open(into);
      expect(reader.manifest?.sources).toEqual(epochs.map((_, i) => `epoch_${i}`));
      sums.forEach((sum, example) => {
        expect(reader.isWritten(example)).toBe(sum !== undefined);
        if (sum) expect(reader.row(example).map((value) => value + 0)).toEqual(sum.map((value) => value + 0));
      });
      await expect(reader.verify()).resolves.toHaveLength(4);
      reader.close();
    }),
    { numRuns: 25 },
  );
});

test('keeps float32 sums of float16 stores', async () => {
  const [from, into] = [newDirectory(), newDirectory()];
  await writeStore(from, { rows: 1, dtype: 'float16', columns }, [Float32Array.of(60_000, 2048, 1)]);
  await add(from, into, 'a');
  await add(from, into, 'b');
  const reader = GradientStoreReader.open(into);
  expect(reader.dtype).toBe('float32');
  const [large, , small] = reader.row(0);
  expect([large, small]).toEqual(
    [120_000, 2].map((v, i) => (i === 0 ? 2 * Math.round(60_000 / 32) * 32 : v)),
  );
  reader.close();
});

test('adds a source once, however often it is asked to', async () => {
  const [from, into] = [newDirectory(), newDirectory()];
  await writeStore(from, { rows: 1, dtype: 'float32', columns }, [Float32Array.of(1, 2, 3)]);
  await expect(add(from, into)).resolves.toBe(true);
  await expect(add(from, into)).resolves.toBe(false);
  const reader = GradientStoreReader.open(into);
  expect(reader.row(0)).toEqual(Float32Array.of(1, 2, 3));
  reader.close();
});

test('adds a store of further rows: where training meets examples that it had not met before', async () => {
  const [first, second, into] = [newDirectory(), newDirectory(), newDirectory()];
  await writeStore(first, { rows: 1, dtype: 'float32', columns }, [Float32Array.of(1, 2, 3)]);
  const rows = [Float32Array.of(1, 1, 1), undefined, Float32Array.of(7, 8, 9)];
  await writeStore(second, { rows: 3, dtype: 'float32', columns }, rows);
  for (const from of [first, second]) await add(from, into);
  const reader = GradientStoreReader.open(into);
  expect(reader).toMatchObject({ rows: 3, rowsWritten: 2 });
  expect(reader.readRows([0, 2])).toEqual(Float32Array.of(2, 3, 4, 7, 8, 9));
  reader.close();
});

test('refuses stores of different columns or fewer rows', async () => {
  const [from, into] = [newDirectory(), newDirectory()];
  await writeStore(into, { rows: 2, dtype: 'float32', columns: [{ layer: 'other', width: 3 }] }, []);
  await writeStore(from, { rows: 2, dtype: 'float32', columns }, []);
  await expect(add(from, into)).rejects.toThrow(LayoutMismatchError);
  const short = newDirectory();
  await writeStore(short, { rows: 1, dtype: 'float32', columns: [{ layer: 'other', width: 3 }] }, []);
  await expect(add(short, into)).rejects.toThrow(/differ in rows \(1 against 2\)/);
});

describe('a kill', () => {
  const ROWS = 1000;
  const WIDTH = 256;

  test('at any moment leaves the old sums or the new ones', async () => {
    const [from, into] = [newDirectory(), newDirectory()];
    const layout = { rows: ROWS, dtype: 'float32', columns: [{ layer: 'dense', width: WIDTH }] } as const;
    await writeStore(
      from,
      layout,
      Array.from({ length: ROWS }, () => new Float32Array(WIDTH).fill(1)),
    );
    let epochs = 0;
    for (const delay of [0, 7, 16, 27, 45]) {
      const child = startChild(
        path.join(__dirname, 'children', 'accumulate-forever.ts'),
        from,
        into,
        `${epochs}`,
      );
      await printed(child, 'added');
      await new Promise((resolve) => setTimeout(resolve, delay));
      await kill(child);
      const reader = GradientStoreReader.open(into);
      expect(reader.state).toBe('complete');
      await reader.verify();
      epochs = reader.manifest?.sources.length ?? 0;
      for (const { rows } of reader.blocks()) expect(rows.every((value) => value === epochs)).toBe(true);
      reader.close();
    }
    expect(epochs).toBeGreaterThan(0);
    await add(from, into, `epoch_${epochs}`);
    const reader = GradientStoreReader.open(into);
    expect(reader.row(0)[0]).toBe(epochs + 1);
    reader.close();
  });

  test('between the two renames is found and finished', async () => {
    const [from, into] = [newDirectory(), newDirectory()];
    await writeStore(from, { rows: 1, dtype: 'float32', columns }, [Float32Array.of(1, 2, 3)]);
    await add(from, into, 'a');
    const rename = fs.renameSync.bind(fs);
    const killed = jest.spyOn(fs, 'renameSync').mockImplementation((source, target) => {
      if (source === `${into}.next`) throw new Error('killed here');
      rename(source, target);
    });
    await expect(add(from, into, 'b')).rejects.toThrow();
    killed.mockRestore();
    expect(fs.existsSync(into)).toBe(false);
    const reader = GradientStoreReader.open(into);
    expect(reader.row(0)).toEqual(Float32Array.of(2, 4, 6));
    reader.close();
    await expect(add(from, into, 'b')).resolves.toBe(false);
    await expect(add(from, into, 'c')).resolves.toBe(true);
    expect(fs.readdirSync(root).filter((name) => name.startsWith(`${path.basename(into)}.`))).toEqual([]);
  });
});
