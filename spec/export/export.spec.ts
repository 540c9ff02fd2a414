import fs from 'node:fs';
import path from 'node:path';
import { Attributor, ImportedRunError, ImportError, Run, RunExistsError } from '../../callbacks';
import { openArrow } from '../../lib/datasets/arrow';
import { openParquet } from '../../lib/datasets/parquet';
import type { Row, RowSource } from '../../lib/datasets/row-source';
import { writeNpy } from '../../lib/export/npy';
import { writeOrderParquet } from '../../lib/export/order-parquet';
import { writeRowsParquet } from '../../lib/export/rows-parquet';
import { writeSavedDataset } from '../../lib/export/saved-dataset';
import { importIndex } from '../../lib/run/import-index';
import { decodeFloat16 } from '../../lib/store/float16';
import type { RowDtype } from '../../lib/store/format';
import { GradientStoreReader } from '../../lib/store/reader';
import { writeStore } from '../store/support';
import { relativeError, ROUNDING } from '../support/closeness';
import { denseCase } from '../support/small-models';
import { temporaryDirectory } from '../support/temporary-directory';
import { trainRun } from '../support/trained-run';

const directory = temporaryDirectory();
let files = 0;
const fresh = (name: string) => path.join(directory, `${files++}-${name}`);

async function allRows(source: RowSource): Promise<Row[]> {
  const rows: Row[] = [];
  for await (const row of source.rows(0, Infinity)) rows.push(row);
  return rows;
}

/** A run of 20 examples, of which the store's row 3 is then taken out, and the others multiplied by a power of two. */
async function exampleRun(dtype: RowDtype, factor: number) {
  const examples = Array.from({ length: 20 }, (_, i) => ({ text: `über ${i}` }));
  const { run } = await trainRun(directory, denseCase, { dtype, examples, epochs: 1 });
  const store = path.join(run, 'train', 'epoch_0');
  const reader = GradientStoreReader.open(store);
  const rows = Array.from({ length: 20 }, (_, i) =>
    i === 3 ? undefined : reader.row(i).map((value) => value * factor),
  );
  reader.close();
  await writeStore(store, reader.layout, rows);
  return { run: Run.open(run), store: GradientStoreReader.open(store), rows };
}

describe.each([
  ['float32', 'float32', 1],
  ['float16', 'float16', 1],
  ['float16 whose rows have scales', 'float32', 2 ** -30],
] as const)('a store of %s', (name, exported, factor) => {
  const dtype = name === 'float32' ? name : 'float16';
  it('is one matrix as npy, with NaN for the row that is not there', async () => {
    const { store, rows } = await exampleRun(dtype, factor);
    const file = fresh('rows.npy');
    writeNpy(file, store);
    const bytes = fs.readFileSync(file);
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('\u0093NUMPY\u0001\u0000');
    const start = 10 + bytes.readUInt16LE(8);
    expect(start % 64).toBe(0);
    const kind = exported === 'float16' ? '<f2' : '<f4';
    const text = `{'descr': '${kind}', 'fortran_order': False, 'shape': (20, ${store.width}), }`;
    expect(bytes.subarray(10, start).toString('latin1')).toBe(`${text.padEnd(start - 11)}\n`);
    const data = Uint8Array.from(bytes.subarray(start)).buffer;
    const values = exported === 'float16' ? new Float32Array(data.byteLength / 2) : new Float32Array(data);
    if (exported === 'float16') decodeFloat16(new Uint16Array(data), values);
    const absent = new Float32Array(store.width).fill(NaN);
    expect([...values]).toEqual(rows.flatMap((row) => [...(row ?? absent)]));
    store.close();
  });

  it.each([
    { by: 'layer', lists: ['hidden', 'head'] },
    { by: 'row', lists: ['gradients'] },
  ] as const)(
    'is a list for each $by as Parquet, and as a data set of Hugging Face',
    async ({ by, lists }) => {
      const { run, store, rows } = await exampleRun(dtype, factor);
      const [file, folder] = [fresh('rows.parquet'), fresh('dataset')];
      await writeRowsParquet(file, run, store, by);
      await writeSavedDataset(folder, run, store, by);
      const found = {
        parquet: await allRows(openParquet(file)),
        arrow: await allRows(openArrow(path.join(folder, 'data-00000-of-00001.arrow'))),
      };
      for (const [format, table] of Object.entries(found)) {
        expect(table).toHaveLength(19);
        for (const row of table) {
          const example = Number(row.example);
          const numbers = lists.flatMap((list) => Array.from(row[list] as ArrayLike<number>));
          expect({ format, example, numbers }).toEqual({ format, example, numbers: [...rows[example]!] });
          expect(JSON.parse(row.record as string)).toEqual({ text: `über ${example}` });
        }
      }
      const left = fs.readdirSync(directory).filter((name) => /\.(part|tmp)$/.test(name));
      expect(left).toEqual([]);
      store.close();
    },
  );
});

it('writes the order of training as a table', async () => {
  const { run } = await trainRun(directory, denseCase);
  const order = Run.open(run).trainingOrder()!;
  const file = fresh('order.parquet');
  expect(await writeOrderParquet(file, order)).toBe(40);
  const expected = [...order.batches()].flatMap(({ step, epoch, examples }) =>
    Array.from(examples, (example) => ({ step, epoch, example })),
  );
  expect(await allRows(openParquet(file))).toEqual(expected);
});

describe('an index that Bergson wrote', () => {
  const index = path.join(__dirname, '..', 'reference', 'gpt2', 'index_raw_p8');

  it('becomes a run with norms and checksums, which answers as Bergson does', async () => {
    const run = await importIndex(index, fresh('imported'));
    expect(run.describe()).toContain(`imported from ${index}, over 6 examples`);
    const attributor = await Attributor.open(run.path);
    const [trace] = await attributor.search([attributor.row(0)], { k: 6 });
    // What Bergson's own Attributor found, and scored, for its first example.
    expect(trace!.highest.map(({ example }) => example)).toEqual([0, 5, 1, 4, 3, 2]);
    const scores = [6431.9560546875, 180.51393127441406, 147.2242431640625, -40.978145599365234];
    const rest = [-137.56744384765625, -472.95257568359375];
    const found = trace!.highest.map(({ score }) => score);
    expect(relativeError(found, [...scores, ...rest])).toBeLessThan(ROUNDING);
    const store = GradientStoreReader.open(run.storeDirectory());
    expect(await store.verify()).toHaveLength(4);
    expect(store.norms().rows[0]).toBeCloseTo(Math.sqrt(scores[0]!), 3);
    store.close();
    const model = denseCase.build();
    await expect(attributor.trace(model, denseCase.data(1))).rejects.toThrow(ImportedRunError);
    await attributor.close();
  });

  it('is not imported over something, nor from a directory that is none; nor opened without', async () => {
    await expect(importIndex(index, directory)).rejects.toThrow(RunExistsError);
    await expect(importIndex(directory, fresh('none'))).rejects.toThrow(ImportError);
    expect(() => Run.open(index)).toThrow(/`bergson import` makes one/);
    const cut = fresh('cut');
    fs.cpSync(index, cut, { recursive: true });
    fs.truncateSync(path.join(cut, 'gradients.bin'), 100);
    const target = fresh('target');
    await expect(importIndex(cut, target)).rejects.toThrow(
      /gradients\.bin is damaged: expected bytes 12288, found 100/,
    );
    expect(fs.existsSync(target) || fs.existsSync(`${target}.part`)).toBe(false);
  });
});
