import fs from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import * as errors from '../../lib/errors';
import { encodeInfo, type RowDtype, type StoreLayout } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { sealStore } from '../../lib/store/seal';
import { GradientStoreWriter } from '../../lib/store/writer';
import { markedRow, markedRows, writeStore } from './support';
import { kill, printed, startChild } from '../support/child-process';
import { temporaryDirectory } from '../support/temporary-directory';

const root = temporaryDirectory();
let stores = 0;
const newDirectory = () => path.join(root, `store_${stores++}`);

const columns = [
  { layer: 'conv', width: 3 },
  { layer: 'dense', width: 4 },
];
const layoutOf = (rows: number, dtype: RowDtype = 'float32'): StoreLayout => ({ rows, dtype, columns });
const WIDTH = 7;

function damage(file: string, offset: number): void {
  const bytes = fs.readFileSync(file);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  fs.writeFileSync(file, bytes);
}

describe('a closed store', () => {
  test.each(['float32', 'float16'] as const)('gives back its rows as %s, in any order', async (dtype) => {
    const directory = newDirectory();
    const writer = GradientStoreWriter.create(directory, layoutOf(5, dtype));
    writer.write(Int32Array.of(4, 1, 0, 2), markedRows([4, 1, 0, 2], WIDTH));
    writer.write(Int32Array.of(3), markedRow(3, WIDTH));
    await writer.close();
    const reader = GradientStoreReader.open(directory);
    expect(reader).toMatchObject({
      state: 'complete',
      rows: 5,
      width: WIDTH,
      rowsWritten: 5,
      dtype,
      columns,
    });
    expect(reader.row(4)).toEqual(markedRow(4, WIDTH));
    expect(reader.readRows([2, 0, 2])).toEqual(markedRows([2, 0, 2], WIDTH));
    expect([...reader.blocks()].map(({ rows }) => rows)).toEqual([markedRows([0, 1, 2, 3, 4], WIDTH)]);
    expect([...reader.blocks(1)].map(({ first, count }) => [first, count])).toEqual(
      [0, 1, 2, 3, 4].map((i) => [i, 1]),
    );
    await expect(reader.verify()).resolves.toHaveLength(4);
    reader.close();
    expect(() => reader.row(0)).toThrow(errors.ClosedError);
  });

  test('holds the last row written for each example, and counts the others', () => {
    const operations = fc.array(fc.array(fc.integer({ min: 0, max: 19 }), { maxLength: 12 }), {
      maxLength: 8,
    });
    return fc.assert(
      fc.asyncProperty(operations, fc.constantFrom<RowDtype>('float32', 'float16'), async (calls, dtype) => {
        const directory = newDirectory();
        const writer = GradientStoreWriter.create(directory, layoutOf(20, dtype));
        const expected = new Map<number, Float32Array>();
        let version = 0;
        let written = 0;
        for (const examples of calls) {
          const rows = new Float32Array(examples.length * WIDTH);
          examples.forEach((example, i) => {
            const row = markedRow(example, WIDTH, version++ % 8);
            rows.set(row, i * WIDTH);
            expected.set(example, row);
            written++;
          });
          writer.write(Int32Array.from(examples), rows);
        }
        expect(writer.rowsWritten).toBe(expected.size);
        expect(writer.rewritten).toBe(written - expected.size);
        await writer.close();
        const reader = GradientStoreReader.open(directory);
        for (let example = 0; example < 20; example++) {
          expect(reader.isWritten(example)).toBe(expected.has(example));
          if (expected.has(example)) expect(reader.row(example)).toEqual(expected.get(example));
        }
        reader.close();
      }),
      { numRuns: 40 },
    );
  });

  test('has the L2 norm of each row, over all columns and by layer; 0 where no row is', async () => {
    const directory = newDirectory();
    await writeStore(directory, layoutOf(3), [
      Float32Array.of(3, 0, 4, 1, 1, 1, 1),
      undefined,
      new Float32Array(WIDTH),
    ]);
    const reader = GradientStoreReader.open(directory);
    expect(reader.norms().rows).toEqual(Float32Array.of(Math.sqrt(29), 0, 0));
    expect(reader.norms().layers).toEqual(Float32Array.of(5, 2, 0, 0, 0, 0));
    reader.close();
  });

  test('may have no rows at all', async () => {
    const directory = newDirectory();
    await GradientStoreWriter.create(directory, layoutOf(0)).close();
    const reader = GradientStoreReader.open(directory);
    expect([...reader.blocks()]).toEqual([]);
    expect(reader.rowsWritten).toBe(0);
    reader.close();
  });

  test('has rows wider than a block', async () => {
    const directory = newDirectory();
    const wide = { rows: 2, dtype: 'float16', columns: [{ layer: 'a', width: 3_000_000 }] } as const;
    await writeStore(directory, wide, [undefined, new Float32Array(3_000_000).fill(2)]);
    const reader = GradientStoreReader.open(directory);
    expect(reader.norms().rows[1]).toBeCloseTo(2 * Math.sqrt(3_000_000), 2);
    expect([...reader.blocks()].map(({ rows }) => rows[2_999_999])).toHaveLength(2);
    reader.close();
  });

  test.each(['gradients.bin', 'written.bin', 'norms.safetensors'])(
    'names %s when a bit of it changed',
    async (name) => {
      const directory = newDirectory();
      await writeStore(directory, layoutOf(2), [markedRow(0, WIDTH), markedRow(1, WIDTH)]);
      damage(path.join(directory, name), 1);
      const reader = GradientStoreReader.open(directory);
      await expect(reader.verify()).rejects.toMatchObject({
        name: 'CorruptStoreError',
        path: path.join(directory, name),
        quantity: 'sha256',
      });
      reader.close();
    },
  );

  test.each(['gradients.bin', 'written.bin', 'norms.safetensors', 'info.json'])(
    'does not open with a truncated %s',
    async (name) => {
      const directory = newDirectory();
      await writeStore(directory, layoutOf(2), [markedRow(0, WIDTH), markedRow(1, WIDTH)]);
      const file = path.join(directory, name);
      fs.truncateSync(file, fs.statSync(file).size - 1);
      const error = name === 'info.json' ? errors.InvalidLayoutError : errors.CorruptStoreError;
      expect(() => GradientStoreReader.open(directory)).toThrow(error);
    },
  );

  test('says how many bytes it expected and found', async () => {
    const directory = newDirectory();
    await writeStore(directory, layoutOf(2), [markedRow(0, WIDTH)]);
    const file = path.join(directory, 'gradients.bin');
    fs.truncateSync(file, 10);
    expect(() => GradientStoreReader.open(directory)).toThrow(
      expect.objectContaining({ path: file, quantity: 'bytes', expected: 56, found: 10 }) as Error,
    );
  });

  test('is not replaced unless asked', async () => {
    const directory = newDirectory();
    await writeStore(directory, layoutOf(1), [markedRow(0, WIDTH)]);
    expect(() => GradientStoreWriter.create(directory, layoutOf(1))).toThrow(errors.StoreExistsError);
    GradientStoreWriter.create(directory, layoutOf(1), { overwrite: true }).abort();
    const reader = GradientStoreReader.open(directory);
    expect(reader).toMatchObject({ state: 'interrupted', rowsWritten: 0 });
    reader.close();
  });
});

describe('a writer', () => {
  const open = () => GradientStoreWriter.create(newDirectory(), layoutOf(4));

  test.each([
    ['an id beyond the rows', [4], markedRow(0, WIDTH), errors.ExampleRangeError],
    ['a negative id', [-1], markedRow(0, WIDTH), errors.ExampleRangeError],
    ['too few numbers', [0, 1], markedRow(0, WIDTH), errors.RowShapeError],
    ['NaN', [0], markedRow(0, WIDTH).fill(NaN, 4), errors.NonFiniteValueError],
    ['infinity', [0], markedRow(0, WIDTH).fill(-Infinity, 6), errors.NonFiniteValueError],
  ])('refuses %s and writes nothing', (_, examples, rows, error) => {
    const writer = open();
    expect(() => {
      writer.write(Int32Array.from(examples), rows);
    }).toThrow(error);
    expect(writer.rowsWritten).toBe(0);
    writer.abort();
  });

  test('cannot be used after close', async () => {
    const writer = open();
    await writer.close();
    expect(() => {
      writer.write(Int32Array.of(0), markedRow(0, WIDTH));
    }).toThrow(errors.ClosedError);
    await expect(writer.close()).rejects.toThrow(errors.ClosedError);
  });

  test('names path and bytes when the disk is full, and keeps the rows it had', () => {
    const writer = open();
    writer.write(Int32Array.of(0, 1), markedRows([0, 1], WIDTH));
    const full = jest.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
    });
    expect(() => {
      writer.write(Int32Array.of(2), markedRow(2, WIDTH));
    }).toThrow(
      expect.objectContaining({
        name: 'DiskWriteError',
        path: path.join(writer.directory, 'gradients.bin'),
        bytes: 28,
        code: 'ENOSPC',
      }) as Error,
    );
    full.mockRestore();
    writer.abort();
    const reader = GradientStoreReader.open(writer.directory);
    expect(reader).toMatchObject({ state: 'interrupted', rowsWritten: 2 });
    expect(reader.row(1)).toEqual(markedRow(1, WIDTH));
    reader.close();
  });

  test('carries on where the system wrote only part of a row', async () => {
    const writer = open();
    const whole = fs.writeSync.bind(fs) as (...args: unknown[]) => number;
    const short = jest
      .spyOn(fs, 'writeSync')
      .mockImplementation(((
        fd: number,
        bytes: Uint8Array,
        offset: number,
        length: number,
        position: number,
      ) => whole(fd, bytes, offset, Math.min(5, length), position)) as typeof fs.writeSync);
    writer.write(Int32Array.of(0, 1, 3), markedRows([0, 1, 3], WIDTH));
    short.mockRestore();
    await writer.close();
    const reader = GradientStoreReader.open(writer.directory);
    expect(reader.readRows([0, 1, 3])).toEqual(markedRows([0, 1, 3], WIDTH));
    reader.close();
  });

  test('does not start on a disk that is too small', () => {
    const rows = 2 ** 40;
    expect(() => GradientStoreWriter.create(newDirectory(), layoutOf(rows))).toThrow(errors.DiskWriteError);
  });

  test('never claims a store to be complete whose sealing failed', async () => {
    const writer = open();
    writer.write(Int32Array.of(0), markedRow(0, WIDTH));
    const failing = jest.spyOn(fs, 'renameSync').mockImplementation(() => {
      throw Object.assign(new Error('quota'), { code: 'EDQUOT' });
    });
    await expect(writer.close()).rejects.toThrow(errors.DiskWriteError);
    failing.mockRestore();
    const reader = GradientStoreReader.open(writer.directory);
    expect(reader).toMatchObject({ state: 'interrupted', rowsWritten: 1 });
    reader.close();
  });
});

describe('resizing a store', () => {
  const begun = () => {
    const writer = GradientStoreWriter.create(newDirectory(), layoutOf(2));
    writer.write(Int32Array.of(0, 1), markedRows([0, 1], WIDTH));
    return writer;
  };

  test('makes room for further rows, and gives back what none of them took', async () => {
    const writer = begun();
    writer.resize(8);
    writer.write(Int32Array.of(4, 2), markedRows([4, 2], WIDTH));
    writer.resize(5);
    await writer.close();
    const reader = GradientStoreReader.open(writer.directory);
    expect(reader).toMatchObject({ state: 'complete', rows: 5, rowsWritten: 4 });
    expect(reader.readRows([0, 1, 2, 4])).toEqual(markedRows([0, 1, 2, 4], WIDTH));
    expect(reader.isWritten(3)).toBe(false);
    await expect(reader.verify()).resolves.toHaveLength(4);
    reader.close();
  });

  test('loses no row that is written', () => {
    const writer = begun();
    expect(() => {
      writer.resize(1);
    }).toThrow(errors.ExampleRangeError);
    expect(writer.layout.rows).toBe(2);
    writer.abort();
  });

  test('does not start on a disk that is too small', () => {
    const writer = begun();
    expect(() => {
      writer.resize(2 ** 40);
    }).toThrow(errors.DiskWriteError);
    writer.write(Int32Array.of(1), markedRow(1, WIDTH));
    writer.abort();
  });

  // Each file operation of a resize, made to fail as a kill before it would leave it.
  test.each([
    ['growing', 'ftruncateSync', 0],
    ['growing', 'ftruncateSync', 1],
    ['growing', 'renameSync', 0],
    ['shrinking', 'renameSync', 0],
    ['shrinking', 'ftruncateSync', 0],
    ['shrinking', 'ftruncateSync', 1],
  ] as const)(
    'leaves rows that open and can be sealed when killed %s (%s %i)',
    async (how, operation, at) => {
      const writer = begun();
      if (how === 'shrinking') writer.resize(8);
      const whole = fs[operation].bind(fs) as (...args: unknown[]) => void;
      let calls = 0;
      const failing = jest.spyOn(fs, operation).mockImplementation((...args: unknown[]) => {
        if (calls++ === at) throw Object.assign(new Error('killed'), { code: 'EIO' });
        whole(...args);
      });
      expect(() => {
        writer.resize(how === 'growing' ? 8 : 2);
      }).toThrow(errors.DiskWriteError);
      failing.mockRestore();
      writer.abort();
      for (const state of ['interrupted', 'complete']) {
        const reader = GradientStoreReader.open(writer.directory);
        expect(reader).toMatchObject({ state, rowsWritten: 2 });
        expect(reader.readRows([0, 1])).toEqual(markedRows([0, 1], WIDTH));
        reader.close();
        await sealStore(writer.directory);
      }
    },
  );
});

describe('an interrupted store', () => {
  test('opens after SIGKILL with every row it says it has whole', async () => {
    for (const delay of [0, 13, 29, 57]) {
      const directory = newDirectory();
      const child = startChild(path.join(__dirname, 'children', 'write-forever.ts'), directory);
      await printed(child, 'writing');
      await new Promise((resolve) => setTimeout(resolve, delay));
      await kill(child);
      const reader = GradientStoreReader.open(directory);
      expect(reader).toMatchObject({ state: 'interrupted', rows: 400 });
      // 200 examples are written over and over; only the batch of 8 in flight may be missing.
      expect(reader.rowsWritten).toBeGreaterThanOrEqual(200 - 8);
      for (let example = 0; example < 400; example++) {
        if (!reader.isWritten(example)) continue;
        const row = reader.row(example);
        expect((row[0] ?? -1) % 400).toBe(example);
        expect(row.every((value) => value === row[0])).toBe(true);
      }
      reader.close();
    }
  });

  test('shows nobody the half-written bytes of a row, and can be sealed', async () => {
    const writer = GradientStoreWriter.create(newDirectory(), layoutOf(3));
    writer.write(Int32Array.of(0), markedRow(0, WIDTH));
    writer.abort();
    const file = fs.openSync(path.join(writer.directory, 'gradients.bin'), 'r+');
    fs.writeSync(file, Float32Array.of(9, 9), 0, 8, 28); // half of row 1, as a kill may leave it
    fs.closeSync(file);
    for (const state of ['interrupted', 'complete']) {
      const reader = GradientStoreReader.open(writer.directory);
      expect(reader).toMatchObject({ state, rowsWritten: 1 });
      expect(() => reader.row(1)).toThrow(errors.RowNotWrittenError);
      expect(() => reader.row(3)).toThrow(errors.ExampleRangeError);
      for (const { rows } of reader.blocks())
        expect(rows.subarray(WIDTH)).toEqual(new Float32Array(2 * WIDTH));
      expect(reader.norms().rows.subarray(1)).toEqual(new Float32Array(2));
      reader.close();
      await sealStore(writer.directory);
    }
  });
});

describe('going on with a store', () => {
  test('keeps its rows, and ends with the bytes of a store that was written at once', async () => {
    const [whole, parted] = [newDirectory(), newDirectory()];
    await writeStore(
      whole,
      layoutOf(4),
      [0, 1, 2, 3].map((example) => markedRow(example, WIDTH)),
    );
    const first = GradientStoreWriter.create(parted, layoutOf(4));
    first.write(Int32Array.of(2, 0), markedRows([2, 0], WIDTH));
    first.abort();
    const second = GradientStoreWriter.resume(parted, layoutOf(4));
    expect([0, 1, 2, 3].map((example) => second.isWritten(example))).toEqual([true, false, true, false]);
    expect(second).toMatchObject({ rowsWritten: 2, rewritten: 0 });
    second.write(Int32Array.of(1, 3), markedRows([1, 3], WIDTH));
    await second.close();
    for (const name of fs.readdirSync(whole)) {
      expect(fs.readFileSync(path.join(parted, name))).toEqual(fs.readFileSync(path.join(whole, name)));
    }
  });

  test.each(['written.bin', 'gradients.bin'])('begins anew where a kill came before %s', (name) => {
    const writer = GradientStoreWriter.create(newDirectory(), layoutOf(4));
    writer.abort();
    fs.truncateSync(path.join(writer.directory, name), 0);
    const again = GradientStoreWriter.resume(writer.directory, layoutOf(4));
    again.write(Int32Array.of(3), markedRow(3, WIDTH));
    again.abort();
    const reader = GradientStoreReader.open(writer.directory);
    expect(reader).toMatchObject({ rows: 4, rowsWritten: 1 });
    reader.close();
  });

  test('keeps the room that its writer made', () => {
    const writer = GradientStoreWriter.create(newDirectory(), layoutOf(2));
    writer.resize(8);
    writer.write(Int32Array.of(7), markedRow(7, WIDTH));
    writer.abort();
    const again = GradientStoreWriter.resume(writer.directory, layoutOf(2));
    expect(again).toMatchObject({ rowsWritten: 1, layout: { rows: 8 } });
    again.abort();
  });

  test('refuses one of other columns, and one whose rows are cut off', () => {
    const writer = GradientStoreWriter.create(newDirectory(), layoutOf(4));
    writer.write(Int32Array.of(3), markedRow(3, WIDTH));
    writer.abort();
    const other = { ...layoutOf(4), columns: [{ layer: 'conv', width: WIDTH }] };
    expect(() => GradientStoreWriter.resume(writer.directory, other)).toThrow(/layout/);
    fs.truncateSync(path.join(writer.directory, 'gradients.bin'), 4 * WIDTH);
    expect(() => GradientStoreWriter.resume(writer.directory, layoutOf(4))).toThrow(errors.CorruptStoreError);
  });
});

test('a Bergson index opens as foreign, with all of its rows', async () => {
  const directory = newDirectory();
  fs.mkdirSync(directory);
  fs.writeFileSync(path.join(directory, 'info.json'), encodeInfo(layoutOf(2)));
  fs.writeFileSync(path.join(directory, 'gradients.bin'), Buffer.from(markedRows([0, 1], WIDTH).buffer));
  const reader = GradientStoreReader.open(directory);
  expect(reader).toMatchObject({ state: 'foreign', rowsWritten: 2 });
  expect(reader.row(1)).toEqual(markedRow(1, WIDTH));
  expect(reader.norms().rows[1]).toBeCloseTo(Math.hypot(...markedRow(1, WIDTH)), 5);
  await expect(reader.verify()).resolves.toEqual([]);
  reader.close();
  await sealStore(directory);
  const sealed = GradientStoreReader.open(directory);
  expect(sealed).toMatchObject({ state: 'complete', rowsWritten: 2 });
  sealed.close();
});
